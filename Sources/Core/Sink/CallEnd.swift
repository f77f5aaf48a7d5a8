/// The end of a sink's work: of the call, or of one part of the sink's output.
///
/// All counts are in frames of the call, from its beginning to this end. They say what this sink got.
public struct CallEnd: Hashable, Sendable {
    /// The reason why the call ended, in words for people, as in the manifest. Nil while the call goes on: the sink's
    /// part is full, or its recording is paused and this sink leaves pauses out.
    public var reason: String?
    /// The length of the call until now.
    public var frames: Int
    /// Frames for which the sink got silence, because it was too slow to take the call's audio.
    public var silence: Int
    /// Frames for which the sink got silence, because the recording was paused.
    public var masked: Int
    /// Frames that were left out, because the recording was paused.
    public var skipped: Int
    /// Frames that the entry's filters cut out.
    public var cut = 0
    /// Frames that are in no file, because an earlier instance of the sink failed.
    public var lost: Int

    /// Describes an end.
    public init(
        reason: String?, frames: Int, silence: Int = 0, masked: Int = 0, skipped: Int = 0, lost: Int = 0
    ) {
        self.reason = reason
        self.frames = frames
        self.silence = silence
        self.masked = masked
        self.skipped = skipped
        self.lost = lost
    }

    /// The call is over. False if only a part of the sink's output ends, and another instance goes on.
    public var isCallOver: Bool { reason != nil }
}
