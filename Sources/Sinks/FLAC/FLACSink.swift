public import CallreelCore

/// Records a call as FLAC: the same samples as WAV in about half the space, with a checksum of the audio.
///
/// There is deliberately no `checkpoint()`. Full blocks go to the disk by themselves.
/// An unfinished file states "length unknown", and every decoder then reads to the end.
/// If the length were written from time to time, decoders would trust it and stop there.
/// With a length two seconds old, `flac -d`, sox and libsndfile dropped a fifth of a
/// ten-second file, and reported success.
public struct FLACSink: ~Copyable, AudioSink {
    public static let type = "flac"
    public static let summary = "FLAC files, lossless at about half the size of WAV, decodable while they grow"

    public static func files(options: FLACOptions) -> SinkFiles { .suffixes(["flac"]) }

    private let details: [String: JSONValue]
    private var frames = 0
    // Before `file`, because fields are destroyed in this order and the encoder writes to the file.
    private var encoder: FLACEncoder
    private let file: OutputFile

    /// Creates the file with its tags.
    public init(options: FLACOptions, context: SinkContext) throws(SinkError) {
        let blockSize = options.blockSize(at: context.format.sampleRate)
        let tags = CallTags(context)
        let file = try context.createFile("flac")
        do {
            encoder = try FLACEncoder(
                file: file.openFile, format: context.format,
                settings: .init(level: options.level, blockSize: blockSize, verify: options.verify),
                comments: [("TITLE", tags.title), ("DATE", tags.date), ("ENCODER", CallTags.software)] + tags.facts,
                padding: options.padding)
        } catch {
            throw error.sinkError(.open, "cannot begin \(file.path)")
        }
        self.file = file
        details = [
            "level": .integer(options.level), "blockSize": .integer(blockSize), "verified": .boolean(options.verify),
        ]
    }

    /// Encodes frames, and writes every full block.
    public mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        do {
            try chunk.withSamples { samples throws(CodecFailure) in try encoder.write(samples) }
        } catch {
            throw error.sinkError(.write, "cannot write \(file.path)")
        }
        frames += chunk.frameCount
    }

    /// Writes the last block, then the length and the checksum at the beginning, and brings the file to stable storage.
    public consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        let receipt = SinkReceipt(frames: frames, framesByFile: [file.name: frames], details: details)
        do {
            try encoder.finish()
        } catch {
            throw error.sinkError(.finish, "cannot finish \(file.path)")
        }
        try file.close()
        return receipt
    }
}
