import CFLAC
import CallreelCore
import Foundation

/// A libFLAC encoder that writes to a file. Only this type encodes FLAC.
///
/// When a write returns, the file has all bytes that the encoder has produced.
/// Write errors are taken from the output, because libFLAC's `finish` returns true even after a
/// failed write (measured with 1.4.2).
@safe struct FLACEncoder: ~Copyable {
    /// The way of encoding.
    struct Settings {
        /// The compression level, 0 to 8.
        var level: Int
        /// Frames in a block.
        var blockSize: Int
        /// The encoder decodes what it has encoded, and compares.
        var verify: Bool
    }

    private let encoder: UnsafeMutablePointer<FLAC__StreamEncoder>
    /// Metadata blocks. libFLAC reads them until it has finished; this type frees them.
    private let metadata: [UnsafeMutablePointer<FLAC__StreamMetadata>]
    private let output: CodecOutput
    private let channels: Int
    /// Frames passed to the library at a time.
    private static let framesAtOnce = 1024

    /// Writes the beginning of a native FLAC stream to an empty file.
    ///
    /// The caller closes the file after this value.
    /// - Parameter comments: names (ASCII without `=`) and values of Vorbis comments, in order.
    init(
        file: any DiskFile, format: AudioFormat, settings: Settings, comments: [(name: String, value: String)],
        padding: Int
    ) throws(CodecFailure) {
        let metadata = try unsafe Self.metadata(comments: comments, padding: padding)
        guard let encoder = unsafe FLAC__stream_encoder_new() else {
            unsafe Self.free(metadata)
            throw CodecFailure("out of memory", systemError: ENOMEM)
        }
        let output = CodecOutput(file)
        // A setter fails only on an encoder that is already running.
        // The start below checks that the values fit together.
        unsafe FLAC__stream_encoder_set_channels(encoder, UInt32(format.channels))
        unsafe FLAC__stream_encoder_set_bits_per_sample(encoder, 16)
        unsafe FLAC__stream_encoder_set_sample_rate(encoder, UInt32(format.sampleRate))
        unsafe FLAC__stream_encoder_set_compression_level(encoder, UInt32(settings.level))
        unsafe FLAC__stream_encoder_set_blocksize(encoder, UInt32(settings.blockSize))
        unsafe FLAC__stream_encoder_set_verify(encoder, settings.verify ? 1 : 0)
        var blocks = unsafe metadata.map(Optional.some)
        unsafe FLAC__stream_encoder_set_metadata(encoder, &blocks, UInt32(blocks.count))
        let status = unsafe FLAC__stream_encoder_init_stream(
            encoder, writeBytes, seekTo, tellPosition, nil, output.address)
        guard output.flush(), status == FLAC__STREAM_ENCODER_INIT_STATUS_OK else {
            unsafe FLAC__stream_encoder_delete(encoder)
            unsafe Self.free(metadata)
            if let failure = output.failure { throw CodecFailure("write failed", systemError: failure) }
            throw CodecFailure(
                "libFLAC cannot encode \(format), level \(settings.level), blocks of \(settings.blockSize) "
                    + "(status \(status.rawValue))",
                blame: .options)
        }
        unsafe self.encoder = encoder
        unsafe self.metadata = metadata
        self.output = output
        channels = format.channels
    }

    /// Encodes interleaved frames. When this returns, every full block is in the file.
    mutating func write(_ samples: Span<Int16>) throws(CodecFailure) {
        // Not kept between two batches: the next call then gets the memory while it is still in the processor's cache.
        let wide = UnsafeMutablePointer<Int32>.allocate(capacity: Self.framesAtOnce * channels)
        defer { unsafe wide.deallocate() }
        var done = 0
        while done < samples.count {
            let piece = min(samples.count - done, Self.framesAtOnce * channels)
            // Without bounds checks in the loop, so that the compiler can process many samples at a time.
            unsafe samples.withUnsafeBufferPointer { source in
                for index in 0..<piece { unsafe wide[index] = Int32(source[done + index]) }
            }
            guard unsafe process(wide, frames: piece / channels) else { throw failure }
            done += piece
        }
        if !output.flush() { throw failure }
    }

    /// Passes samples to the library. One channel is interleaved and planar at once, and planar is faster.
    private func process(_ samples: UnsafePointer<Int32>, frames: Int) -> Bool {
        if channels > 1 {
            return unsafe FLAC__stream_encoder_process_interleaved(encoder, samples, UInt32(frames)) != 0
        }
        return unsafe withUnsafePointer(to: Optional(samples)) {
            unsafe FLAC__stream_encoder_process(encoder, $0, UInt32(frames)) != 0
        }
    }

    /// Writes the last block, and the length and checksum at the beginning of the file.
    consuming func finish() throws(CodecFailure) {
        let went = unsafe FLAC__stream_encoder_finish(encoder)
        if !output.flush() || went == 0 { throw failure }
    }

    /// Frees the encoder. If it was not finished, it writes nothing more, and the file's length stays unknown.
    deinit {
        unsafe FLAC__stream_encoder_delete(encoder)
        unsafe Self.free(metadata)
    }

    private var failure: CodecFailure {
        if let number = output.failure { return CodecFailure("write failed", systemError: number) }
        let state = unsafe String(cString: FLAC__stream_encoder_get_resolved_state_string(encoder))
        return CodecFailure("libFLAC stopped: \(state)", blame: .bug)
    }

    /// Creates a Vorbis comment block, and a padding block unless its length is 0.
    private static func metadata(
        comments: [(name: String, value: String)], padding: Int
    ) throws(CodecFailure) -> [UnsafeMutablePointer<FLAC__StreamMetadata>] {
        guard let tags = unsafe FLAC__metadata_object_new(FLAC__METADATA_TYPE_VORBIS_COMMENT) else {
            throw CodecFailure("out of memory", systemError: ENOMEM)
        }
        for (name, value) in comments {
            var entry = unsafe FLAC__StreamMetadata_VorbisComment_Entry()
            // Copies both texts; the block then owns the entry.
            let went =
                unsafe FLAC__metadata_object_vorbiscomment_entry_from_name_value_pair(&entry, name, value) != 0
                && FLAC__metadata_object_vorbiscomment_append_comment(tags, entry, 0) != 0
            guard went else {
                unsafe FLAC__metadata_object_delete(tags)
                throw CodecFailure("\(name) cannot be a Vorbis comment", blame: .bug)
            }
        }
        guard padding > 0, let space = unsafe FLAC__metadata_object_new(FLAC__METADATA_TYPE_PADDING) else {
            return unsafe [tags]
        }
        unsafe space.pointee.length = UInt32(padding)
        return unsafe [tags, space]
    }

    private static func free(_ metadata: [UnsafeMutablePointer<FLAC__StreamMetadata>]) {
        unsafe metadata.forEach { unsafe FLAC__metadata_object_delete($0) }
    }
}

/// Writes bytes for libFLAC. `samples` is 0 for metadata, and the frame's length for one whole frame.
private func writeBytes(
    _: UnsafePointer<FLAC__StreamEncoder>?, bytes: UnsafePointer<FLAC__byte>?, count: Int, samples: UInt32, _: UInt32,
    client: UnsafeMutableRawPointer?
) -> FLAC__StreamEncoderWriteStatus {
    let buffer = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
    let went = unsafe CodecOutput.behind(client).write(buffer, isFrame: samples > 0)
    return went ? FLAC__STREAM_ENCODER_WRITE_STATUS_OK : FLAC__STREAM_ENCODER_WRITE_STATUS_FATAL_ERROR
}

/// Moves the position for libFLAC, to complete the header at the end.
private func seekTo(
    _: UnsafePointer<FLAC__StreamEncoder>?, position: FLAC__uint64, client: UnsafeMutableRawPointer?
) -> FLAC__StreamEncoderSeekStatus {
    unsafe CodecOutput.behind(client).position = Int(position)
    return FLAC__STREAM_ENCODER_SEEK_STATUS_OK
}

/// Returns the position to libFLAC, to locate the header.
private func tellPosition(
    _: UnsafePointer<FLAC__StreamEncoder>?, position: UnsafeMutablePointer<FLAC__uint64>?,
    client: UnsafeMutableRawPointer?
) -> FLAC__StreamEncoderTellStatus {
    unsafe position?.pointee = FLAC__uint64(CodecOutput.behind(client).position)
    return FLAC__STREAM_ENCODER_TELL_STATUS_OK
}
