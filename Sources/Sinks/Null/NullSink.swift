public import CallreelCore

/// What the operator may say about a `null` sink: nothing.
public struct NullOptions: Configurable {
    /// Every option at its default.
    public init() {}

    /// The keys of a `{"type": "null"}` entry.
    public static let fields: [Field<Self>] = []
}

/// Counts frames and forgets them: for tests of everything else under load, where no disk shall be what is measured.
///
/// It leaves no file. What the manifest says was written was taken.
public struct NullSink: AudioSink {
    public static let type = "null"
    public static let summary = "nothing: counts frames and discards them, for tests under load"

    private var frames = 0

    /// Opens nothing.
    public init(options: NullOptions, context: SinkContext) {}

    /// Counts.
    public mutating func write(_ chunk: borrowing PCMChunk) { frames += chunk.frameCount }

    /// Says how many there were.
    public consuming func finish() -> SinkReceipt { SinkReceipt(frames: frames) }
}
