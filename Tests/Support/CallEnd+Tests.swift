public import CallreelCore

extension CallEnd {
    /// The end of a call, for tests in which the details do not matter.
    public static let hangup = CallEnd(reason: "the caller hung up", frames: 0)
}
