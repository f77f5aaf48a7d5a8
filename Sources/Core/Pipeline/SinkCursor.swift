/// How far a sink has come on its call's timeline.
///
/// This is the only place where that is kept. The end of what the sink has is computed from the frames that it was given, so it
/// never lies behind an earlier end, and never before the beginning of a part.
struct SinkCursor: Sendable {
    /// The shape of the call's audio.
    private let source: AudioFormat
    /// The shape of what the sink gets.
    private let target: AudioFormat
    /// The place from which `given` counts.
    private var anchor = 0
    /// Frames, in the sink's shape, that the sink was given since.
    private var given = 0
    /// The end of what was taken from the call for this sink. A conversion may still hold some of it.
    private(set) var taken = 0

    /// Starts at the call's first frame.
    init(from source: AudioFormat, to target: AudioFormat) {
        self.source = source
        self.target = target
    }

    /// The end of what the sink was given.
    var written: Int { min(taken, anchor + source.frames(given, of: target)) }

    /// Audio up to this place was taken from the call.
    mutating func take(to end: Int) { taken = max(taken, end) }

    /// The sink was given so many frames.
    mutating func give(_ frames: Int) { given += frames }

    /// The sink was given everything that was taken: nothing is held by a conversion.
    mutating func settle() { restart(at: taken) }

    /// The sink, or another one after it, goes on from this place.
    mutating func restart(at place: Int) {
        anchor = place
        given = 0
        taken = place
    }
}
