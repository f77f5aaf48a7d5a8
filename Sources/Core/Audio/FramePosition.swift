/// A position on a call's timeline: the number of frames before it. The call's first frame is at 0.
public struct FramePosition: Hashable, Comparable, Sendable {
    /// Frames before this position.
    public let frames: Int

    /// Makes the position after so many frames.
    public init(_ frames: Int) { self.frames = frames }

    /// The first frame of a call.
    public static let start = FramePosition(0)

    /// Returns the position so many frames later.
    public static func + (position: Self, frames: Int) -> Self { Self(position.frames + frames) }

    /// Orders earlier positions first.
    public static func < (left: Self, right: Self) -> Bool { left.frames < right.frames }
}

extension FramePosition: Codable {
    /// Reads a plain number of frames.
    public init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(Int.self))
    }

    /// Writes a plain number of frames.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(frames)
    }
}
