public import CallreelCore

/// The options of a FLAC sink.
public struct FLACOptions: Configurable {
    /// Compression level, 0 to 8. Decoding returns the same samples at every level.
    public var level = 5
    /// Frames in a block, 16 to 4608. A killed process loses at most one block. Nil lets the sample rate decide.
    public var blockSize: Int?
    /// True to decode all audio again while it is encoded, and compare it.
    public var verify = false
    /// Bytes kept free in the file for later tags, 0 to 1048576.
    public var padding = 8192

    /// Every option at its default.
    public init() {}

    /// The keys of a `{"type": "flac"}` entry.
    public static let fields: [Field<Self>] = [
        .integer("level", \.level, in: 0...8, "Compression level: 0 is fastest, 8 smallest. All are lossless."),
        .integer(
            "blockSize", \.blockSize, in: 16...4608,
            "Frames in a block, the most that is lost when the process is killed; null takes 1152, or 576 at 8000 Hz, best for speech."
        ),
        .boolean(
            "verify", \.verify,
            "Decodes everything again while it is encoded and compares; costs about half as much CPU time again."),
        .integer(
            "padding", \.padding, in: 0...1_048_576,
            "Bytes left free in the file, so that tags can be added later without rewriting it."),
    ]

    /// Returns the chosen block size, or the default for a sample rate: the best for telephone speech, about 72 ms.
    func blockSize(at sampleRate: Int) -> Int {
        blockSize ?? (sampleRate <= 8000 ? 576 : 1152)
    }
}
