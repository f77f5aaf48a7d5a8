import CSndfile
import CallreelCore
import Foundation

/// A sound file opened with libsndfile. Only this type calls the library; it has no policy of its own.
///
/// The caller must remember errors. libsndfile forgets a failed write at the next call, and its close function succeeds
/// after one (measured with 1.2.0).
@safe struct SoundFile: ~Copyable {
    /// A text in the file's metadata, such as WAV's INFO chunk.
    enum Tag { case title, date, comment, software }

    /// The format of the audio in the file.
    let format: AudioFormat
    /// Frames in the file when it was opened. Nil if the header does not state them,
    /// as in a FLAC file that was never finished.
    let frameCount: Int?
    /// The container and encoding. Nil for a kind that Callreel does not write.
    let kind: SoundKind?
    /// True when every sample of the file is a 16-bit integer, so reading `Int16` changes nothing.
    let isPCM16: Bool
    private let handle: OpaquePointer
    /// The library's output. Nil in a file that is read.
    private let output: CodecOutput?
    /// The library's input, if the file is read through patches.
    private let input: CodecInput?
    private var isOpen = true

    /// Writes the header of a plain RIFF WAV file to an empty file, open for reading and writing.
    /// The file is valid from here on.
    ///
    /// The caller closes the file after this value.
    /// - Parameter texts: texts to write before the audio, in ASCII.
    init(
        creatingWAVOn file: any DiskFile, encoding: WAVEncoding, format: AudioFormat, texts: [(tag: Tag, text: String)]
    ) throws(CodecFailure) {
        try self.init(creating: SoundKind(.wav, encoding.soundEncoding), on: file, format: format, texts: texts)
    }

    /// Begins a file of any kind that libsndfile writes, in an empty file that is open for reading and writing.
    ///
    /// A kind with a length in its header has a valid header from here on. Other kinds begin with their first audio.
    /// The caller closes the file after this value.
    /// - Parameters:
    ///   - quality: quality of a lossy kind, from 0 (smallest) to 1 (best). Nil means the library's own choice.
    ///   - texts: texts to write before the audio, if the kind keeps any.
    init(
        creating kind: SoundKind, on file: any DiskFile, format: AudioFormat, quality: Double? = nil,
        texts: [(tag: Tag, text: String)]
    ) throws(CodecFailure) {
        var info = Self.info(kind, format)
        // With callbacks, the library makes no system calls of its own. Without them it would seek and
        // measure the file for each header.
        let output = CodecOutput(file)
        var calls = unsafe SF_VIRTUAL_IO(
            get_filelen: byteCount, seek: seek, read: readNothing, write: writeBytes, tell: tellPosition)
        guard let handle = unsafe sf_open_virtual(&calls, Int32(SFM_WRITE), &info, output.address) else {
            if let number = output.failure { throw CodecFailure("write failed", systemError: number) }
            throw CodecFailure("libsndfile cannot begin such a file of \(format)", blame: .options)
        }
        // Without this, a float file holds ±32768, where every reader expects ±1.
        unsafe sf_command(handle, Int32(SFC_SET_SCALE_INT_FLOAT_WRITE), nil, Int32(SF_TRUE))
        // Leaves out the chunk of peaks in float files. It has a time stamp, and equal calls should make equal files.
        unsafe sf_command(handle, Int32(SFC_SET_ADD_PEAK_CHUNK), nil, Int32(SF_FALSE))
        for (tag, text) in texts { unsafe sf_set_string(handle, tag.number, text) }
        do {
            if kind.isStream {
                try unsafe Self.tune(handle, kind, quality)
            } else {
                // Twice: the first time, the library measures the file before the texts are in it,
                // and the outermost size does not count them.
                for _ in 0..<2 { try unsafe Self.refreshHeader(of: handle, output) }
            }
        } catch {
            // The library writes while it closes.
            withExtendedLifetime(output) { _ = unsafe sf_close(handle) }
            throw error
        }
        unsafe self.handle = handle
        input = nil
        self.output = output
        self.format = format
        self.kind = kind
        frameCount = 0
        isPCM16 = kind.encoding == .pcm16
    }

    /// Opens a file of any kind that libsndfile reads.
    /// - Parameter patched: the file with other bytes in its header. Nil means the file as it is.
    init(reading path: String, patched: CodecInput? = nil) throws(CodecFailure) {
        var info = SF_INFO()
        if let patched {
            var calls = unsafe SF_VIRTUAL_IO(
                get_filelen: inputByteCount, seek: seekInput, read: readInput, write: writeNothing, tell: tellInput)
            guard let handle = unsafe sf_open_virtual(&calls, Int32(SFM_READ), &info, patched.address) else {
                throw CodecFailure("not a sound file that libsndfile reads")
            }
            try unsafe self.init(handle, info, patched)
            return
        }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        let number = errno
        guard descriptor >= 0 else { throw CodecFailure(systemMessage(number), systemError: number) }
        // From here on the library owns the descriptor, and closes it even if it cannot read the file.
        // Its reason is not used: without a handle, the library returns the message of the thread that failed last.
        guard let handle = unsafe sf_open_fd(descriptor, Int32(SFM_READ), &info, Int32(SF_TRUE)) else {
            throw CodecFailure("not a sound file that libsndfile reads")
        }
        try unsafe self.init(handle, info, nil)
    }

    /// Takes over a handle that reads.
    private init(_ handle: OpaquePointer, _ info: SF_INFO, _ input: CodecInput?) throws(CodecFailure) {
        guard let format = AudioFormat(checking: Int(info.samplerate), channels: Int(info.channels)) else {
            withExtendedLifetime(input) { _ = unsafe sf_close(handle) }
            throw CodecFailure("states \(info.samplerate) Hz in \(info.channels) channels, which is not audio")
        }
        unsafe self.handle = handle
        self.input = input
        output = nil
        self.format = format
        // libsndfile marks an unknown length by the greatest count, or by a negative one.
        frameCount = 0..<sf_count_t.max ~= info.frames ? Int(info.frames) : nil
        kind = SoundKind(number: info.format)
        isPCM16 = info.format & Int32(SF_FORMAT_SUBMASK) == SF_FORMAT_PCM_16
    }

    /// Returns true if the installed libsndfile writes this kind in this format.
    static func canWrite(_ kind: SoundKind, _ format: AudioFormat) -> Bool {
        var info = info(kind, format)
        return unsafe sf_format_check(&info) == Int32(SF_TRUE)
    }

    /// The library's name and version, such as `libsndfile-1.2.0`.
    static var libraryVersion: String { unsafe String(cString: sf_version_string()) }

    /// Appends interleaved frames. When this returns, all bytes that the library does not hold back
    /// are with the operating system.
    /// - Throws: an error if the write failed. Part of the frames may be in the file then.
    mutating func write(_ samples: Span<Int16>) throws(CodecFailure) {
        let frames = samples.count / format.channels
        errno = 0
        let written: sf_count_t
        if kind?.encoding == .mp3 {
            // libsndfile 1.2.0 turns 16-bit samples in two channels into noise; floating point is encoded correctly.
            let scaled = samples.indices.map { Float(samples[$0]) / 32768 }
            written = unsafe sf_writef_float(handle, scaled, sf_count_t(frames))
        } else {
            written = unsafe samples.withUnsafeBufferPointer {
                unsafe sf_writef_short(handle, $0.baseAddress, sf_count_t(frames))
            }
        }
        // After a failed write of Ogg pages, libsndfile returns a full count and sets an error.
        if unsafe output?.flush() == false || written != frames || sf_error(handle) != SF_ERR_NO_ERROR {
            throw unsafe Self.failure(of: handle, output)
        }
    }

    /// Makes the header on disk count the audio so far. All of the counted audio is already in the file.
    mutating func refreshHeader() throws(CodecFailure) { try unsafe Self.refreshHeader(of: handle, output) }

    /// Fills the buffer with interleaved samples, and returns the number of frames.
    /// Returns fewer than fit only at the end.
    mutating func read(into buffer: inout [Int16]) throws(CodecFailure) -> Int {
        let room = sf_count_t(buffer.count / format.channels)
        let count = unsafe buffer.withUnsafeMutableBufferPointer { unsafe sf_readf_short(handle, $0.baseAddress, room) }
        return try checked(count, of: room)
    }

    /// Fills the buffer with interleaved samples in ±1, and returns the number of frames.
    /// Returns fewer than fit only at the end.
    mutating func read(into buffer: inout [Float]) throws(CodecFailure) -> Int {
        let room = sf_count_t(buffer.count / format.channels)
        let count = unsafe buffer.withUnsafeMutableBufferPointer { unsafe sf_readf_float(handle, $0.baseAddress, room) }
        return try checked(count, of: room)
    }

    /// Writes the audio held back by the library and the final header.
    /// Closes the library's handle, but not the descriptor.
    consuming func close() throws(CodecFailure) {
        isOpen = false
        let code = unsafe sf_close(handle)
        if output?.flush() == false { throw CodecFailure("write failed", systemError: output?.failure) }
        if code != 0 { throw unsafe CodecFailure(String(cString: sf_error_number(code))) }
    }

    deinit {
        guard isOpen else { return }
        // A file whose audio did not fit still gets a header.
        output?.retry()
        unsafe sf_close(handle)
        _ = output?.flush()
    }

    private func checked(_ count: sf_count_t, of room: sf_count_t) throws(CodecFailure) -> Int {
        if count < room, unsafe sf_error(handle) != SF_ERR_NO_ERROR { throw unsafe Self.failure(of: handle, nil) }
        return Int(count)
    }

    private static func refreshHeader(of handle: OpaquePointer, _ output: CodecOutput?) throws(CodecFailure) {
        unsafe sf_command(handle, Int32(SFC_UPDATE_HEADER_NOW), nil, 0)
        if unsafe output?.flush() == false || sf_error(handle) != SF_ERR_NO_ERROR {
            throw unsafe failure(of: handle, output)
        }
    }

    /// Returns the library's description of a file to begin.
    private static func info(_ kind: SoundKind, _ format: AudioFormat) -> SF_INFO {
        var info = SF_INFO()
        info.samplerate = Int32(clamping: format.sampleRate)
        info.channels = Int32(clamping: format.channels)
        info.format = kind.number
        return info
    }

    /// Sets the encoder's options, before its first frame.
    private static func tune(_ handle: OpaquePointer, _ kind: SoundKind, _ quality: Double?) throws(CodecFailure) {
        // libsndfile 1.2.0 obeys the first two commands and yet reports failure, so their results are ignored.
        var page = SoundKind.opusPageMilliseconds, mode = Int32(SF_BITRATE_MODE_CONSTANT), quality = quality
        switch kind.encoding {
        case .opus:
            unsafe sf_command(handle, Int32(SFC_SET_OGG_PAGE_LATENCY_MS), &page, Int32(MemoryLayout<Double>.size))
        case .mp3:
            unsafe sf_command(handle, Int32(SFC_SET_BITRATE_MODE), &mode, Int32(MemoryLayout<Int32>.size))
            quality = SoundKind.leastMP3Quality + (1 - SoundKind.leastMP3Quality) * (quality ?? 0)
        default: break
        }
        guard var quality else { return }
        let done = unsafe sf_command(
            handle, Int32(SFC_SET_VBR_ENCODING_QUALITY), &quality, Int32(MemoryLayout<Double>.size))
        if done != Int32(SF_TRUE) {
            throw CodecFailure("the encoder does not take a quality of \(quality)", blame: .options)
        }
    }

    /// Returns the failure of the previous library call.
    private static func failure(of handle: OpaquePointer, _ output: CodecOutput?) -> CodecFailure {
        if let number = output?.failure { return CodecFailure("write failed", systemError: number) }
        let number = errno
        let isSystem = unsafe sf_error(handle) == SF_ERR_SYSTEM
        let reason = unsafe String(cString: sf_strerror(handle))
        return CodecFailure(reason, systemError: isSystem && number != 0 ? number : nil)
    }
}

/// Returns the file's length to libsndfile.
private func byteCount(_ client: UnsafeMutableRawPointer?) -> sf_count_t {
    sf_count_t(unsafe CodecOutput.behind(client).byteCount)
}

/// Moves the position for libsndfile.
private func seek(_ offset: sf_count_t, _ whence: Int32, _ client: UnsafeMutableRawPointer?) -> sf_count_t {
    let output = unsafe CodecOutput.behind(client)
    switch whence {
    case SEEK_CUR: output.position += Int(offset)
    case SEEK_END: output.position = output.byteCount + Int(offset)
    default: output.position = Int(offset)
    }
    return sf_count_t(output.position)
}

/// Reads nothing. libsndfile does not call this for a file that it writes.
private func readNothing(_: UnsafeMutableRawPointer?, _: sf_count_t, _: UnsafeMutableRawPointer?) -> sf_count_t { 0 }

/// Writes bytes for libsndfile.
private func writeBytes(_ bytes: UnsafeRawPointer?, _ count: sf_count_t, _ client: UnsafeMutableRawPointer?)
    -> sf_count_t
{
    let went = unsafe CodecOutput.behind(client).write(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
    return went ? count : 0
}

/// Returns the position of the next write to libsndfile.
private func tellPosition(_ client: UnsafeMutableRawPointer?) -> sf_count_t {
    sf_count_t(unsafe CodecOutput.behind(client).position)
}

/// Returns the length of the input to libsndfile.
private func inputByteCount(_ client: UnsafeMutableRawPointer?) -> sf_count_t {
    sf_count_t(unsafe CodecInput.behind(client).byteCount)
}

/// Moves the input's position for libsndfile.
private func seekInput(_ offset: sf_count_t, _ whence: Int32, _ client: UnsafeMutableRawPointer?) -> sf_count_t {
    let input = unsafe CodecInput.behind(client)
    let base = whence == SEEK_CUR ? input.position : whence == SEEK_END ? input.byteCount : 0
    // A damaged header may ask for any offset.
    let (position, overflows) = base.addingReportingOverflow(Int(offset))
    if overflows || position < 0 { return -1 }
    input.position = position
    return sf_count_t(position)
}

/// Reads bytes for libsndfile.
private func readInput(_ bytes: UnsafeMutableRawPointer?, _ count: sf_count_t, _ client: UnsafeMutableRawPointer?)
    -> sf_count_t
{
    sf_count_t(
        unsafe CodecInput.behind(client).read(
            into: UnsafeMutableRawBufferPointer(start: bytes, count: max(0, Int(count)))))
}

/// Writes nothing. libsndfile does not call this for a file that it reads.
private func writeNothing(_: UnsafeRawPointer?, _: sf_count_t, _: UnsafeMutableRawPointer?) -> sf_count_t { 0 }

/// Returns the position of the next read to libsndfile.
private func tellInput(_ client: UnsafeMutableRawPointer?) -> sf_count_t {
    sf_count_t(unsafe CodecInput.behind(client).position)
}
