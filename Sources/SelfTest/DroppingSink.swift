import CallreelCore
import CallreelSinks

/// A raw sink with a defect that the self-test must find: it silently throws away every seventh chunk.
struct DroppingSink: ~Copyable, AudioSink {
    static let type = "selftestDrop"
    static let summary = "raw files with dropped audio, for callreel selftest --plant drop"
    /// One chunk of so many is thrown away.
    private static let interval = 7

    private var raw: RawSink
    private var chunks = 0

    init(options: RawOptions, context: SinkContext) throws(SinkError) {
        raw = try RawSink(options: options, context: context)
    }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        chunks += 1
        // Drops the first chunk of each seven, so that the shortest call lacks audio too.
        if chunks % Self.interval != 1 { try raw.write(chunk) }
    }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt { try raw.finish(end) }

    static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        try RawSink.repair(path, format: format, dryRun: dryRun)
    }

    static func decode(_ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void) throws(SinkError)
        -> DecodedFile?
    {
        try RawSink.decode(path, format: format, into: body)
    }
}
