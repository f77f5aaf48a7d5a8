/// The result of a repair, or of its dry run.
public struct FileRepair: Hashable, Sendable {
    /// Whole frames in the file after the repair.
    public var frames: Int
    /// Bytes after the last whole frame that were, or would be, cut off.
    public var bytesCut: Int
    /// The change made, or to be made, in words; nil if the file is intact.
    public var change: String?
    /// Offset of the first byte of audio in the file. After a power cut, Callreel cuts zeros off the end of a file
    /// before its repair, but nothing before this offset. Nil: it cuts none.
    public var audioStart: Int?

    /// Makes a result.
    public init(frames: Int, bytesCut: Int = 0, change: String? = nil, audioStart: Int? = nil) {
        self.frames = frames
        self.bytesCut = bytesCut
        self.change = change
        self.audioStart = audioStart
    }
}

/// The content of a file, found by decoding it.
public struct DecodedFile: Hashable, Sendable {
    /// Frames decoded.
    public var frames: Int
    /// The decoded samples must equal the call's own. False for a lossy encoding.
    public var isLossless: Bool

    /// Makes a result.
    public init(frames: Int, isLossless: Bool) {
        self.frames = frames
        self.isLossless = isLossless
    }
}
