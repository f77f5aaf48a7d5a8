// What goes through a queue, and what is said of it.
extension ChunkQueue {
    /// Who takes from a queue.
    protocol Consumer: AnyObject, Sendable {
        /// There is something to take. Called once after each ``ChunkQueue/rest(_:)`` that returned true, from any thread; it must not block.
        func wake()
    }

    /// What the worker does next.
    enum Item: Sendable {
        case chunk(PCMChunk)
        /// So many frames from this place on were dropped; `isPaused` where they came while the recording was paused.
        case gap(frames: Int, start: FramePosition, isPaused: Bool)
        case checkpoint
        /// The call is over and everything was taken. This is taken as often as it is asked for.
        case end
    }

    /// Why a sink was left behind.
    enum StallReason: String, Sendable {
        /// It made no progress for `stallLimit`.
        case noProgress = "it makes no progress"
        /// It held the call back for longer than `holdLimit`.
        case heldTooLong = "it is slower than the call and held it back for too long"
    }

    /// What a tick found.
    struct Pulse {
        /// Why the sink was left behind since the last tick, if it was.
        var stall: StallReason?
        /// The sink is back since the last tick.
        var hasReturned = false
        /// Seconds in which the call waited for the sink since the last tick.
        var held = 0.0
        /// The call is over and the sink has shown no progress for longer than it is given.
        var isLost = false
    }
}
