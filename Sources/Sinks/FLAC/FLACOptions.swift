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
            "Frames in a block. A kill loses at most one block. null takes 1152, or 576 at 8000 Hz, best for speech."
        ),
        .boolean(
            "verify", \.verify,
            "Decodes the audio during encoding and compares it; needs about half as much CPU time again."),
        .integer(
            "padding", \.padding, in: 0...1_048_576,
            "Bytes reserved in the file, to add tags later without rewriting it."),
    ]

    /// Returns the chosen block size, or the default for a sample rate: the best for telephone speech, about 72 ms.
    func blockSize(at sampleRate: Int) -> Int {
        blockSize ?? (sampleRate <= 8000 ? 576 : 1152)
    }
}
