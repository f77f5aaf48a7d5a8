public import CallreelCore

/// Records a call as WAV, the format that everything opens.
///
/// The files are plain RIFF, neither RF64 nor WAVE_FORMAT_EXTENSIBLE, which some readers refuse. RIFF counts in 32 bits, and
/// libsndfile wraps around without a word, so one file takes what is below 4 GiB, and the call goes on in a next part.
///
/// Frames are on their way to the disk when ``write(_:)`` returns; what the header says follows at each
/// ``checkpoint()``. A process that is killed leaves a file that all programs read up to its last checkpoint.
public struct WAVSink: ~Copyable, AudioSink {
    public static let type = "wav"
    public static let summary = "RIFF WAV files, readable while they grow; a new part before 4 GiB"

    public static func fileSuffixes(options: WAVOptions) -> [String] { ["wav"] }

    /// Bytes of audio in one file. The 64 KiB to the limit of RIFF are far more than the header takes with its texts.
    static let maximumDataBytes = (1 << 32) - (1 << 16)

    private let encoding: WAVEncoding
    private var part: Part

    /// What fits below 4 GiB.
    public static func frameLimit(options: WAVOptions, format: AudioFormat) -> Int? {
        maximumDataBytes / (options.encoding.bytesPerSample * format.channels)
    }

    /// Creates the file.
    public init(options: WAVOptions, context: SinkContext) throws(SinkError) {
        encoding = options.encoding
        part = try Part(named: "wav", encoding: options.encoding, context: context)
    }

    /// Adds frames.
    public mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        let frames = chunk.frameCount
        try chunk.withSamples { samples throws(SinkError) in try part.write(samples, frames: frames) }
    }

    /// Brings the header up to date, so that sox, flac, FFmpeg and Python read everything written so far.
    // Asynchronous, though it waits for nothing: beside a synchronous one, `await sink.checkpoint()` means the protocol's default.
    public mutating func checkpoint() async throws(SinkError) {
        try part.refreshHeader(.checkpoint)
    }

    /// Closes the file and brings it to stable storage.
    public consuming func finish() throws(SinkError) -> SinkReceipt {
        let receipt = SinkReceipt(
            frames: part.frames, framesByFile: [part.file.name: part.frames], details: ["encoding": .string(encoding.rawValue)])
        try part.close()
        return receipt
    }
}

/// One file of a recording, with its own header.
private struct Part: ~Copyable {
    /// The frames that the file holds.
    private(set) var frames = 0
    /// What writes to the file. Before `file`, because fields are destroyed in this order and closing it writes to the descriptor.
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
