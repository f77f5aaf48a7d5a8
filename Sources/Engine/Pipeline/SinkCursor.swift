import CallreelCore

/// A sink's progress on its call's timeline. No other type keeps it.
///
/// The end of the sink's audio is computed from the frames given to the sink. So within a part, that end never moves
/// back, and never lies before the part's beginning.
struct SinkCursor: Sendable {
    /// The shape of the call's audio.
    private let source: AudioFormat
    /// The shape of the sink's audio.
    private let target: AudioFormat
    /// The position from which `given` counts.
    private var anchor = 0
    /// Frames given to the sink since then, in the sink's shape.
    private var given = 0
    /// The end of the audio taken from the call for this sink. A conversion may still hold some of it.
    private(set) var taken = 0

    /// Starts at the call's first frame.
    init(from source: AudioFormat, to target: AudioFormat) {
        self.source = source
        self.target = target
    }

    /// The end of the audio given to the sink.
    var written: Int { min(taken, anchor + source.frames(given, of: target)) }

    /// Notes that audio up to this position was taken from the call.
    mutating func take(to end: Int) { taken = max(taken, end) }

    /// Notes that the sink was given so many frames.
    mutating func give(_ frames: Int) { given += frames }

    /// Notes that the sink was given all audio before a position, and that the audio up to another one was cut.
    mutating func cut(to end: Int) {
        anchor = end
        given = 0
    }

    /// Notes that the sink was given all audio taken. No conversion holds any.
    mutating func settle() { restart(at: taken) }

    /// Moves to the position from which the sink, or another instance after it, goes on.
    mutating func restart(at place: Int) {
        anchor = place
        given = 0
        taken = place
    }
}
