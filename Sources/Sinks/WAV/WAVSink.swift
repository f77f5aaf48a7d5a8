public import CallreelCore

/// Records a call as WAV, the format that everything opens.
///
/// The files are plain RIFF, neither RF64 nor WAVE_FORMAT_EXTENSIBLE, which some readers refuse. RIFF counts in 32 bits, and
/// libsndfile wraps around without a word, so a part that comes near 4 GiB is closed and the call goes on in
/// `<stem>.part2.wav`, `<stem>.part3.wav` and so on, without a frame between them.
///
/// Frames are on their way to the disk when ``write(_:)`` returns; what the header says follows at each
/// ``checkpoint()``. A process that is killed leaves a file that all programs read up to its last checkpoint.
public struct WAVSink: ~Copyable, AudioSink {
    public static let type = "wav"
    public static let summary = "RIFF WAV files, readable while they grow; a new part before 4 GiB"

    /// Bytes of audio in one part. The 64 KiB to the limit of RIFF are far more than the header takes with its texts.
    static let maximumDataBytes = (1 << 32) - (1 << 16)

    private let context: SinkContext
    private let encoding: WAVEncoding
    private let framesPerPart: Int
    private var framesByFile: [String: Int] = [:]
    private var frames = 0
    private var part: Part

    /// Creates the first part.
    public init(options: WAVOptions, context: SinkContext) throws(SinkError) {
        try self.init(options: options, context: context, maximumDataBytes: Self.maximumDataBytes)
    }

    /// Creates the first part of those that hold at most so many bytes of audio each.
    init(options: WAVOptions, context: SinkContext, maximumDataBytes: Int) throws(SinkError) {
        self.context = context
        encoding = options.encoding
        framesPerPart = maximumDataBytes / (options.encoding.bytesPerSample * context.format.channels)
        part = try Part(named: "wav", encoding: options.encoding, context: context)
    }

    /// Adds frames, in as many parts as they need.
    public mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        try chunk.withSamples { samples throws(SinkError) in
            let channels = context.format.channels
            let count = samples.count / channels
            var done = 0
            while done < count {
                if part.frames == framesPerPart { try startNextPart() }
                let piece = min(count - done, framesPerPart - part.frames)
                try part.write(samples.extracting(done * channels..<(done + piece) * channels), frames: piece)
                done += piece
                frames += piece
            }
        }
    }

    /// Brings the header up to date, so that sox, flac, FFmpeg and Python read everything written so far.
    // Asynchronous, though it waits for nothing: beside a synchronous one, `await sink.checkpoint()` means the protocol's default.
    public mutating func checkpoint() async throws(SinkError) {
        try part.refreshHeader(.checkpoint)
    }

    /// Closes the last part and brings it to stable storage.
    public consuming func finish() throws(SinkError) -> SinkReceipt {
        framesByFile[part.file.name] = part.frames
        let receipt = SinkReceipt(frames: frames, framesByFile: framesByFile, details: ["encoding": .string(encoding.rawValue)])
        try part.close()
        return receipt
    }

    /// Opens the next part before it closes the full one, so that there is always one to write to.
    private mutating func startNextPart() throws(SinkError) {
        framesByFile[part.file.name] = part.frames
        var full = try Part(named: "part\(framesByFile.count + 1).wav", encoding: encoding, context: context)
        swap(&part, &full)
        try full.close()
    }
}

/// One file of a recording, with its own header.
private struct Part: ~Copyable {
    /// The frames that the file holds.
    private(set) var frames = 0
    /// What writes to the file.
    private var sound: SoundFile
    /// The file under it.
    let file: OutputFile

    /// Creates a file that is a valid WAV from its first moment.
    init(named suffix: String, encoding: WAVEncoding, context: SinkContext) throws(SinkError) {
        let file = try context.createFile(suffix)
        let tags = CallTags(context)
        do {
            sound = try SoundFile(
                creatingWAVOn: file.descriptor, encoding: encoding, format: context.format,
                texts: [
                    (.title, CallTags.ascii(tags.title)), (.date, tags.date), (.comment, CallTags.ascii(tags.comment)),
                    (.software, CallTags.software),
                ])
        } catch {
            throw error.sinkError(.open, "cannot begin \(file.path)")
        }
        self.file = file
    }

    /// Appends frames that fit.
    mutating func write(_ samples: Span<Int16>, frames count: Int) throws(SinkError) {
        do {
            try sound.write(samples)
        } catch {
            throw error.sinkError(.write, "cannot write \(file.path)")
        }
        frames += count
    }

    /// Makes the header say what the file holds.
    mutating func refreshHeader(_ code: SinkError.Code) throws(SinkError) {
        do {
            try sound.refreshHeader()
        } catch {
            throw error.sinkError(code, "cannot update the header of \(file.path)")
        }
    }

    /// Writes the last header and makes the file durable.
    consuming func close() throws(SinkError) {
        try refreshHeader(.finish)
        do {
            try sound.close()
        } catch {
            throw error.sinkError(.finish, "cannot close \(file.path)")
        }
        try file.close()
    }
}
