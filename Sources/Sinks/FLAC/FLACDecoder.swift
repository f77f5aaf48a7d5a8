import CFLAC
import CallreelCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A libFLAC decoder over the frames of a file: the one place that decodes FLAC.
///
/// It begins at any FLAC frame of the file, and takes what the stream is from its caller and not from the file's own
/// metadata. What it finds wrong it says at once: libFLAC itself would go on behind it, with silence or nothing in its place.
@safe struct FLACDecoder: ~Copyable {
    /// One FLAC frame that was whole: its header and its footer had the right checksums.
    struct Block {
        /// The place of its first frame in the audio, by its own header.
        let start: Int
        /// Frames of audio in it.
        let frames: Int
        /// Where it ends in the file.
        let end: Int
    }

    /// What came next.
    enum Step {
        /// A block, whose samples can be had until the next step.
        case block(Block)
        /// Something that is no whole block.
        case damage(String)
        /// No whole block before the end of the file, or before the end of the audio where its length was told.
        case end
    }

    private let decoder: UnsafeMutablePointer<FLAC__StreamDecoder>
    private let stream: Stream

    /// Begins to decode at a place in the file.
    /// - Parameter info: what the stream is; with a length, decoding ends there, and with a checksum, it can be checked.
    init(_ file: StoredFile, from offset: Int, info: FLACStreamInfo) throws(CodecFailure) {
        guard let decoder = unsafe FLAC__stream_decoder_new() else { throw CodecFailure("out of memory", systemError: ENOMEM) }
        // A stream of STREAMINFO alone, marked as the last block of metadata (RFC 9639, section 8.1).
        let head = Array("fLaC".utf8) + [0x80, 0, 0, UInt8(FLACStreamInfo.byteCount)] + info.bytes
        let stream = Stream(file: file, head: head, offset: offset, info: info)
        unsafe FLAC__stream_decoder_set_md5_checking(decoder, 1)
        let status = unsafe FLAC__stream_decoder_init_stream(
            decoder, readBytes, nil, tellPosition, nil, nil, takeBlock, nil, takeError, Unmanaged.passUnretained(stream).toOpaque())
        guard status == FLAC__STREAM_DECODER_INIT_STATUS_OK else {
            unsafe FLAC__stream_decoder_delete(decoder)
            throw CodecFailure("libFLAC cannot decode (status \(status.rawValue))", blame: .bug)
        }
        unsafe self.decoder = decoder
        self.stream = stream
    }

    /// Decodes the next block.
    mutating func next() throws(CodecFailure) -> Step {
        stream.block = nil
        while true {
            let went = unsafe FLAC__stream_decoder_process_single(decoder) != 0
            if let number = stream.failure { throw CodecFailure("cannot read", systemError: number) }
            if let damage = stream.damage { return .damage(damage) }
            if let block = stream.block {
                var position: FLAC__uint64 = 0
                guard unsafe FLAC__stream_decoder_get_decode_position(decoder, &position) != 0 else { return .damage("a block without an end") }
                return .block(Block(start: block.start, frames: block.frames, end: stream.fileOffset(Int(position))))
            }
            let state = unsafe FLAC__stream_decoder_get_state(decoder)
            if state == FLAC__STREAM_DECODER_END_OF_STREAM { return .end }
            guard went else { return .damage(unsafe String(cString: FLAC__stream_decoder_get_resolved_state_string(decoder))) }
        }
    }

    /// Lends the samples of the block that came last, interleaved by channel.
    func withSamples(_ body: (Span<Int16>) -> Void) { body(stream.samples.span) }

    /// Ends decoding, and says whether the samples had the checksum that was told; true when none was.
    consuming func finish() -> Bool { unsafe FLAC__stream_decoder_finish(decoder) != 0 }

    deinit { unsafe FLAC__stream_decoder_delete(decoder) }
}

/// Where libFLAC's bytes come from and its samples go. Reached from C through its address; the decoder keeps it alive.
private final class Stream {
    private let file: StoredFile
    /// What comes before the file's bytes.
    private let head: [UInt8]
    /// Where the file's bytes begin.
    private let offset: Int
    private let info: FLACStreamInfo
    /// Bytes handed out so far.
    private(set) var position = 0
    /// The error number of a read that failed.
    private(set) var failure: Int32?
    /// The first thing that was wrong.
    var damage: String?
    /// The block that was decoded since this was emptied.
    var block: (start: Int, frames: Int)?
    /// Its samples.
    private(set) var samples: [Int16] = []

    init(file: StoredFile, head: [UInt8], offset: Int, info: FLACStreamInfo) {
        (self.file, self.head, self.offset, self.info) = (file, head, offset, info)
    }

    /// The place in the file behind so many bytes handed out.
    func fileOffset(_ position: Int) -> Int { offset + position - head.count }

    /// Fills a part of the buffer; 0 bytes are the end, nil is a failure.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        var count = min(buffer.count, max(0, head.count - position))
        if count > 0 {
            unsafe buffer.copyBytes(from: head[position..<position + count])
        } else {
            repeat {
                count = unsafe pread(file.descriptor, buffer.baseAddress, buffer.count, off_t(fileOffset(position)))
            } while count < 0 && errno == EINTR
            if count < 0 {
                failure = errno
                return nil
            }
        }
        position += count
        return count
    }

    /// Keeps a block's samples; false when it is not of this stream.
    func take(_ frame: FLAC__Frame, _ buffer: UnsafePointer<UnsafePointer<FLAC__int32>?>) -> Bool {
        let header = frame.header
        let frames = Int(header.blocksize), channels = Int(header.channels)
        guard header.bits_per_sample == 16, channels == info.channels, header.sample_rate == info.sampleRate else {
            damage = "a block of \(header.sample_rate) Hz, \(channels) channels and \(header.bits_per_sample) bits"
            return false
        }
        if samples.count != frames * channels { samples = [Int16](repeating: 0, count: frames * channels) }
        unsafe samples.withUnsafeMutableBufferPointer { samples in
            for channel in 0..<channels {
                let source = unsafe buffer[channel]!
                var place = channel
                for index in 0..<frames {
                    unsafe samples[place] = Int16(truncatingIfNeeded: source[index])
                    place += channels
                }
            }
        }
        // libFLAC has made a sample's number of a block's number where the stream said that.
        block = (Int(clamping: unsafe header.number.sample_number), frames)
        return true
    }

    /// The stream behind libFLAC's client data.
    static func behind(_ client: UnsafeMutableRawPointer?) -> Stream { unsafe Unmanaged<Stream>.fromOpaque(client!).takeUnretainedValue() }
}

/// libFLAC's read callback.
private func readBytes(
    _: UnsafePointer<FLAC__StreamDecoder>?, buffer: UnsafeMutablePointer<FLAC__byte>?, count: UnsafeMutablePointer<Int>?,
    client: UnsafeMutableRawPointer?
) -> FLAC__StreamDecoderReadStatus {
    let room = unsafe UnsafeMutableRawBufferPointer(start: buffer, count: count!.pointee)
    let got = unsafe Stream.behind(client).read(into: room)
    unsafe count!.pointee = got ?? 0
    guard let got else { return FLAC__STREAM_DECODER_READ_STATUS_ABORT }
    return got == 0 ? FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM : FLAC__STREAM_DECODER_READ_STATUS_CONTINUE
}

/// libFLAC's tell callback, from which it knows where a block ends.
private func tellPosition(
    _: UnsafePointer<FLAC__StreamDecoder>?, position: UnsafeMutablePointer<FLAC__uint64>?, client: UnsafeMutableRawPointer?
) -> FLAC__StreamDecoderTellStatus {
    unsafe position?.pointee = FLAC__uint64(Stream.behind(client).position)
    return FLAC__STREAM_DECODER_TELL_STATUS_OK
}

/// libFLAC's write callback: one block.
private func takeBlock(
    _: UnsafePointer<FLAC__StreamDecoder>?, frame: UnsafePointer<FLAC__Frame>?, buffer: UnsafePointer<UnsafePointer<FLAC__int32>?>?,
    client: UnsafeMutableRawPointer?
) -> FLAC__StreamDecoderWriteStatus {
    let went = unsafe Stream.behind(client).take(frame!.pointee, buffer!)
    return went ? FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE : FLAC__STREAM_DECODER_WRITE_STATUS_ABORT
}

/// libFLAC's error callback: where it comes, a block was not whole, also if its samples follow.
private func takeError(_: UnsafePointer<FLAC__StreamDecoder>?, status: FLAC__StreamDecoderErrorStatus, client: UnsafeMutableRawPointer?) {
    let stream = unsafe Stream.behind(client)
    guard stream.damage == nil else { return }
    stream.damage =
        switch status {
        case FLAC__STREAM_DECODER_ERROR_STATUS_LOST_SYNC: "no whole block"
        case FLAC__STREAM_DECODER_ERROR_STATUS_BAD_HEADER: "a block's header is damaged"
        case FLAC__STREAM_DECODER_ERROR_STATUS_FRAME_CRC_MISMATCH: "a block's checksum is wrong"
        default: "a block cannot be decoded"
        }
}
