/// What a repair found, and did or would do.
public struct FileRepair: Hashable, Sendable {
    /// Whole frames in the file afterwards.
    public var frames: Int
    /// Bytes after the last whole frame that were, or would be, cut off.
    public var bytesCut: Int
    /// What was, or would be, changed, in words; nil when the file is whole as it is.
    public var change: String?

    /// Makes a result.
    public init(frames: Int, bytesCut: Int = 0, change: String? = nil) {
        self.frames = frames
        self.bytesCut = bytesCut
        self.change = change
    }
}

/// What a file was found to hold when it was decoded.
public struct DecodedFile: Hashable, Sendable {
    /// Frames decoded.
    public var frames: Int
    /// Whether the decoded samples must be the call's own: not so for an encoding that loses something.
    public var isLossless: Bool

    /// Makes a result.
    public init(frames: Int, isLossless: Bool) {
        self.frames = frames
        self.isLossless = isLossless
    }
}
