public import CallreelCore

/// Records a call as WAV, the format that every program opens.
///
/// The files are plain RIFF. Some readers refuse RF64 and WAVE_FORMAT_EXTENSIBLE.
/// RIFF sizes have 32 bits, and libsndfile lets them overflow without an error.
/// One file therefore stays below 4 GiB; a longer call continues in a next part.
///
/// When ``write(_:)`` returns, the frames are with the operating system. The header is updated at each
/// ``checkpoint()``. After a kill, every program can read the file up to the last checkpoint.
public struct WAVSink: ~Copyable, AudioSink {
    public static let type = "wav"
    public static let summary = "RIFF WAV files, readable while they grow; a new part before 4 GiB"

    public static func files(options: WAVOptions) -> SinkFiles { .suffixes(["wav"]) }

    /// The most bytes of audio in one file. The last 64 KiB before RIFF's limit are far more than
    /// the header and its texts take.
    static let maximumDataBytes = (1 << 32) - (1 << 16)

    private let encoding: WAVEncoding
    private var part: Part

    /// Returns the frames that fit into a file below 4 GiB.
    public static func frameLimit(options: WAVOptions, format: AudioFormat) -> Int? {
        maximumDataBytes / (options.encoding.bytesPerSample * format.channels)
    }

    /// Creates the file.
    public init(options: WAVOptions, context: SinkContext) throws(SinkError) {
        encoding = options.encoding
        part = try Part(named: "wav", encoding: options.encoding, context: context)
    }

    /// Appends frames.
    public mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        let frames = chunk.frameCount
        try chunk.withSamples { samples throws(SinkError) in try part.write(samples, frames: frames) }
    }

    /// Updates the header, so that sox, flac, FFmpeg and Python read all the audio written so far.
    // Asynchronous, though it waits for nothing: with a synchronous one, `await sink.checkpoint()`
    // would call the protocol's default.
    public mutating func checkpoint() async throws(SinkError) {
        try part.refreshHeader(.checkpoint)
    }

    /// Closes the file and brings it to stable storage.
    public consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        let receipt = SinkReceipt(
            frames: part.frames, framesByFile: [part.file.name: part.frames],
            details: ["encoding": .string(encoding.rawValue)])
        try part.close()
        return receipt
    }
}

/// One file of a recording, with its own header.
private struct Part: ~Copyable {
    /// Frames in the file.
    private(set) var frames = 0
    /// The libsndfile handle. Before `file`, because fields are destroyed in this order and closing the
    /// handle writes to the descriptor.
    private var sound: SoundFile
    /// The open file.
    let file: OutputFile

    /// Creates a file with a valid header.
    init(named suffix: String, encoding: WAVEncoding, context: SinkContext) throws(SinkError) {
        let file = try context.createFile(suffix)
        let tags = CallTags(context)
        do {
            sound = try SoundFile(
                creatingWAVOn: file.openFile, encoding: encoding, format: context.format,
                texts: [
                    (.title, CallTags.ascii(tags.title)), (.date, tags.date), (.comment, CallTags.ascii(tags.comment)),
                    (.software, CallTags.software),
                ])
        } catch {
            throw error.sinkError(.open, "cannot begin \(file.path)")
        }
        self.file = file
    }

    /// Appends frames. They must fit.
    mutating func write(_ samples: Span<Int16>, frames count: Int) throws(SinkError) {
        do {
            try sound.write(samples)
        } catch {
            throw error.sinkError(.write, "cannot write \(file.path)")
        }
        frames += count
    }

    /// Makes the header match the file.
    mutating func refreshHeader(_ code: SinkError.Code) throws(SinkError) {
        do {
            try sound.refreshHeader()
        } catch {
            throw error.sinkError(code, "cannot update the header of \(file.path)")
        }
    }

    /// Writes the last header and brings the file to stable storage.
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
