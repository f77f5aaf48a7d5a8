public import CallreelCore

/// The options of a `null` sink. There are none.
public struct NullOptions: Configurable {
    /// Every option at its default.
    public init() {}

    /// The keys of a `{"type": "null"}` entry.
    public static let fields: [Field<Self>] = []
}

/// Counts frames and discards them. Load tests use it to measure everything except the disk.
///
/// It creates no file. The manifest states the received frames as written.
public struct NullSink: AudioSink {
    public static let type = "null"
    public static let summary = "no output: counts frames and discards them, for load tests"

    private var frames = 0

    /// Opens nothing.
    public init(options: NullOptions, context: SinkContext) {}

    /// Counts the chunk's frames.
    public mutating func write(_ chunk: borrowing PCMChunk) { frames += chunk.frameCount }

    /// Returns the count.
    public consuming func finish(_ end: CallEnd) -> SinkReceipt { SinkReceipt(frames: frames) }
}
