public import CallreelCore

/// Records a call in one file of a format written by libsndfile: Opus, Vorbis, MP3, CAF, AIFF, Wave64, RF64 or AU.
///
/// If the process is killed during a call, the file is in this state before any repair
/// (measured with libsndfile 1.2.0):
/// - CAF, AIFF, RF64 and AU open everywhere and show the audio up to the last ``checkpoint()``.
///   All of the audio is in the file. Wave64 shows all of it: its header is updated at every write,
///   since FFmpeg refuses a file with bytes after the counted audio.
/// - Opus plays up to its last whole page. At most half a second is missing, plus the audio held back by the encoder.
/// - Vorbis plays up to its last whole page too, but pages are filled by size: a second of speech, up to 8 of silence.
/// - MP3 plays up to its last whole MPEG frame, some 0.15 s before the end. LAME's tag is still empty.
///   A decoder therefore plays the tag's MPEG frame and the delay before the call's first sample.
///   At rates below 32 kHz that is 1681 samples. The manifest does not count them.
///
/// Apple Lossless is not offered: libsndfile writes the audio elsewhere until the end,
/// so a kill leaves no audio at all.
///
/// A finished lossy file has exactly the call's length in readers that understand the length in its format.
public struct SndfileSink: ~Copyable, AudioSink {
    public static let type = "sndfile"
    public static let summary = "Opus, Vorbis, MP3, CAF, AIFF, Wave64, RF64 or AU files, through libsndfile"

    public static func files(options: SndfileOptions) -> SinkFiles { .suffixes([options.format.fileExtension]) }

    private let options: SndfileOptions
    private let kind: SoundKind
    private let format: AudioFormat
    private var frames = 0
    // Before `file`, because fields are destroyed in this order and closing `sound` writes to the descriptor.
    private var sound: SoundFile
    private let file: OutputFile

    /// Returns the reason if the options do not fit together, or if the installed libsndfile cannot write this
    /// format. Otherwise returns nil.
    public static func refusal(of format: AudioFormat, options: SndfileOptions) -> String? {
        let name = options.format.rawValue, kind = options.format.kind(options.encoding)
        if kind.isStream, let encoding = options.encoding {
            return
                "\"encoding\" \"\(encoding.rawValue)\" is not possible with \(name): "
                + "remove it, or use caf, aiff, w64, rf64 or au"
        }
        if !kind.isStream, options.quality != nil {
            return
                "\"quality\" is not possible with \(name), which keeps samples: remove it, or use opus, vorbis or mp3"
        }
        if let rates = options.format.sampleRates, !rates.contains(format.sampleRate) {
            return
                "\(name) cannot hold \(format.sampleRate) Hz; it takes "
                + rates.map(String.init).joined(separator: ", ")
        }
        guard SoundFile.canWrite(kind, format) else {
            return "\(SoundFile.libraryVersion), which is installed here, cannot write \(name) of \(format)"
        }
        return nil
    }

    /// Returns the frames that fit into one file: AIFF and AU have sizes of 32 bits.
    public static func frameLimit(options: SndfileOptions, format: AudioFormat) -> Int? {
        guard let bytes = options.format.maximumDataBytes,
            let sample = options.format.kind(options.encoding).bytesPerSample
        else { return nil }
        return bytes / (sample * format.channels)
    }

    /// Creates the file.
    public init(options: SndfileOptions, context: SinkContext) throws(SinkError) {
        if let reason = Self.refusal(of: context.format, options: options) {
            throw SinkError(.open, reason, blame: .options)
        }
        let kind = options.format.kind(options.encoding)
        let file = try context.createFile(options.format.fileExtension)
        sound = try Self.begin(kind, file, options, context)
        self.file = file
        self.options = options
        self.kind = kind
        format = context.format
    }

    /// Writes the header and the texts before the audio.
    private static func begin(
        _ kind: SoundKind, _ file: borrowing OutputFile, _ options: SndfileOptions, _ context: SinkContext
    ) throws(SinkError) -> SoundFile {
        let tags = CallTags(context)
        // Ogg's comments and CAF's strings are UTF-8; the others name no encoding.
        let text = kind.container == .ogg || kind.container == .caf ? { $0 } : CallTags.ascii
        do {
            return try SoundFile(
                creating: kind, on: file.openFile, format: context.format, quality: options.quality,
                texts: [
                    (.title, text(tags.title)), (.date, tags.date), (.comment, text(tags.comment)),
                    (.software, CallTags.software),
                ])
        } catch {
            throw error.sinkError(.open, "cannot begin \(file.path)")
        }
    }

    /// Appends frames. A lossy format's encoder may hold some of them back.
    public mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        do {
            try chunk.withSamples { samples throws(CodecFailure) in try sound.write(samples) }
            if kind.container == .w64 { try sound.refreshHeader() }
        } catch {
            throw error.sinkError(.write, "cannot write \(file.path)")
        }
        frames += chunk.frameCount
    }

    /// Updates the length in the header. Does nothing for formats without such a header.
    // Asynchronous, though it waits for nothing: with a synchronous one, `await sink.checkpoint()`
    // would call the protocol's default.
    public mutating func checkpoint() async throws(SinkError) {
        try refreshHeader(.checkpoint)
    }

    private mutating func refreshHeader(_ code: SinkError.Code) throws(SinkError) {
        guard !kind.isStream else { return }
        do {
            try sound.refreshHeader()
        } catch {
            throw error.sinkError(code, "cannot update the header of \(file.path)")
        }
    }

    /// Closes the file, checks that it holds the call, and brings it to stable storage.
    public consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        try refreshHeader(.finish)
        var details: [String: JSONValue] = ["format": .string(options.format.rawValue)]
        if !kind.isStream { details["encoding"] = .string((options.encoding ?? .pcm16).rawValue) }
        details["quality"] = options.quality.map(JSONValue.number)
        let receipt = SinkReceipt(frames: frames, framesByFile: [file.name: frames], details: details)
        let path = file.path
        do {
            try sound.close()
        } catch {
            throw error.sinkError(.finish, "cannot close \(path)")
        }
        // libsndfile's own result is not enough: it closes without an error on a full disk, and counts pad bytes as
        // frames. The cost of this check does not grow with the call.
        if kind.isStream {
            let found = try Self.length(ofStream: StoredFile(path), format).frames
            guard found == frames else { throw SinkError(.finish, "\(path) holds \(found) of \(frames) frames") }
        } else {
            try Self.sized(StoredFile(path), format).settle(frames: frames)
        }
        try file.close()
        return receipt
    }
}
