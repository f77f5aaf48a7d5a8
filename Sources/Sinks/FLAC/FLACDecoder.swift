import CFLAC
import CallreelCore
import Foundation

/// A libFLAC decoder for the frames of a file. Only this type decodes FLAC.
///
/// It can begin at any FLAC frame. The caller, and not the file's own metadata,
/// describes the stream. The decoder reports damage at once. libFLAC itself would continue after it,
/// with silence or with nothing in its place.
@safe struct FLACDecoder: ~Copyable {
    /// A whole FLAC frame. The checksums of its header and its footer were right.
    struct Block {
        /// Position of its first frame in the audio, stated by its own header.
        let start: Int
        /// Frames of audio in it.
        let frames: Int
        /// Its end in the file.
        let end: Int
    }

    /// The result of one decoding step.
    enum Step {
        /// A block. Its samples stay available until the next step.
        case block(Block)
        /// Bytes that are not a whole block.
        case damage(String)
        /// No whole block before the end of the file, or before the end of the audio if its length was given.
        case end
    }

    private let decoder: UnsafeMutablePointer<FLAC__StreamDecoder>
    private let stream: Stream

    /// Begins to decode at an offset in the file.
    /// - Parameter info: the stream's description. With a length, decoding ends there.
    ///   With a checksum, the samples can be verified.
    init(_ file: StoredFile, from offset: Int, info: FLACStreamInfo) throws(CodecFailure) {
        guard let decoder = unsafe FLAC__stream_decoder_new() else {
            throw CodecFailure("out of memory", systemError: ENOMEM)
        }
        // The stream begins with STREAMINFO alone, marked as the last block of metadata (RFC 9639, section 8.1).
        let head = Array("fLaC".utf8) + [0x80, 0, 0, UInt8(FLACStreamInfo.byteCount)] + info.bytes
        let stream = Stream(file: file, head: head, offset: offset, info: info)
        unsafe FLAC__stream_decoder_set_md5_checking(decoder, 1)
        let status = unsafe FLAC__stream_decoder_init_stream(
            decoder, readBytes, nil, tellPosition, nil, nil, takeBlock, nil, takeError,
            Unmanaged.passUnretained(stream).toOpaque())
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
                guard unsafe FLAC__stream_decoder_get_decode_position(decoder, &position) != 0 else {
                    return .damage("an unfinished block")
                }
                return .block(Block(start: block.start, frames: block.frames, end: stream.fileOffset(Int(position))))
            }
            let state = unsafe FLAC__stream_decoder_get_state(decoder)
            if state == FLAC__STREAM_DECODER_END_OF_STREAM { return .end }
            guard went else {
                return .damage(unsafe String(cString: FLAC__stream_decoder_get_resolved_state_string(decoder)))
            }
        }
    }

    /// Lends the samples of the last block, interleaved by channel.
    func withSamples(_ body: (Span<Int16>) -> Void) { body(stream.samples.span) }

    /// Ends decoding. Returns true if the samples match the given checksum, or if none was given.
    consuming func finish() -> Bool { unsafe FLAC__stream_decoder_finish(decoder) != 0 }

    deinit { unsafe FLAC__stream_decoder_delete(decoder) }
}

/// The source of libFLAC's bytes and the destination of its samples.
/// C code reaches it through its address; the decoder keeps it alive.
private final class Stream {
    private let file: StoredFile
    /// Bytes passed to libFLAC before the file's bytes.
    private let head: [UInt8]
    /// Offset of the first byte read from the file.
    private let offset: Int
    private let info: FLACStreamInfo
    /// Bytes passed to libFLAC so far.
    private(set) var position = 0
    /// The error number of a failed read.
    private(set) var failure: Int32?
    /// The first damage found.
    var damage: String?
    /// The last decoded block. Nil since the current step began, if none was decoded.
    var block: (start: Int, frames: Int)?
    /// The samples of the block.
    private(set) var samples: [Int16] = []

    init(file: StoredFile, head: [UInt8], offset: Int, info: FLACStreamInfo) {
        (self.file, self.head, self.offset, self.info) = (file, head, offset, info)
    }

    /// Returns the file offset after so many bytes passed to libFLAC.
    func fileOffset(_ position: Int) -> Int { offset + position - head.count }

    /// Fills part of the buffer. Returns 0 at the end, and nil after a failure.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        var count = min(buffer.count, max(0, head.count - position))
        if count > 0 {
            unsafe buffer.copyBytes(from: head[position..<position + count])
        } else {
            do throws(ErrorNumber) {
                count = unsafe try file.file.read(at: fileOffset(position), into: buffer)
            } catch {
                failure = error.value
                return nil
            }
        }
        position += count
        return count
    }

    /// Keeps a block's samples. Returns false if the block does not fit the stream.
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
        // If the stream numbers its blocks, libFLAC has turned the block's number into a sample's number.
        block = (Int(clamping: unsafe header.number.sample_number), frames)
        return true
    }

    /// Returns the stream behind libFLAC's client data.
    static func behind(_ client: UnsafeMutableRawPointer?) -> Stream {
        unsafe Unmanaged<Stream>.fromOpaque(client!).takeUnretainedValue()
    }
}

/// Reads bytes for libFLAC.
private func readBytes(
    _: UnsafePointer<FLAC__StreamDecoder>?, buffer: UnsafeMutablePointer<FLAC__byte>?,
    count: UnsafeMutablePointer<Int>?,
    client: UnsafeMutableRawPointer?
) -> FLAC__StreamDecoderReadStatus {
    let room = unsafe UnsafeMutableRawBufferPointer(start: buffer, count: count!.pointee)
    let got = unsafe Stream.behind(client).read(into: room)
    unsafe count!.pointee = got ?? 0
    guard let got else { return FLAC__STREAM_DECODER_READ_STATUS_ABORT }
    return got == 0 ? FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM : FLAC__STREAM_DECODER_READ_STATUS_CONTINUE
}

/// Returns the position to libFLAC, to locate the end of a block.
private func tellPosition(
    _: UnsafePointer<FLAC__StreamDecoder>?, position: UnsafeMutablePointer<FLAC__uint64>?,
    client: UnsafeMutableRawPointer?
) -> FLAC__StreamDecoderTellStatus {
    unsafe position?.pointee = FLAC__uint64(Stream.behind(client).position)
    return FLAC__STREAM_DECODER_TELL_STATUS_OK
}

/// Takes one decoded block from libFLAC.
private func takeBlock(
    _: UnsafePointer<FLAC__StreamDecoder>?, frame: UnsafePointer<FLAC__Frame>?,
    buffer: UnsafePointer<UnsafePointer<FLAC__int32>?>?,
    client: UnsafeMutableRawPointer?
) -> FLAC__StreamDecoderWriteStatus {
    let went = unsafe Stream.behind(client).take(frame!.pointee, buffer!)
    return went ? FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE : FLAC__STREAM_DECODER_WRITE_STATUS_ABORT
}

/// Notes an error from libFLAC: a block was not whole, even if its samples follow.
private func takeError(
    _: UnsafePointer<FLAC__StreamDecoder>?, status: FLAC__StreamDecoderErrorStatus, client: UnsafeMutableRawPointer?
) {
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
