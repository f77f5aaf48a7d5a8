import CallreelCore

// The items of a queue, their consumer, and the reports of a tick.
extension ChunkQueue {
    /// The receiver of a queue's items.
    protocol Consumer: AnyObject, Sendable {
        /// Tells the consumer that the queue has an item. Called once after each ``ChunkQueue/rest(_:)`` that returned
        /// true, from any thread. Must not block.
        func wake()
    }

    /// The next thing for the worker to do.
    enum Item: Sendable {
        case chunk(PCMChunk)
        /// A number of frames, from this position on, were dropped. `isPaused` is true if they arrived during a pause
        /// of the recording.
        case gap(frames: Int, start: FramePosition, isPaused: Bool)
        /// An event of the call, at the end of the audio before it in the queue, or somewhere behind that.
        case event(CallEvent)
        case checkpoint
        /// The call has ended for this reason, and the worker has taken everything. Further takes return this again.
        case end(reason: String)
    }

    /// The reason why a sink stalled.
    enum StallReason: String, Sendable {
        /// The sink made no progress for `stallLimit`.
        case noProgress = "it makes no progress"
        /// The sink held the call back for longer than `holdLimit`.
        case heldTooLong = "it is slower than the call and held it back for too long"
    }

    /// The findings of one tick.
    struct Pulse {
        /// The reason why the sink stalled since the last tick; nil if it did not.
        var stall: StallReason?
        /// The sink has recovered since the last tick.
        var hasReturned = false
        /// Seconds for which the call waited for the sink since the last tick.
        var held = 0.0
        /// The call has ended, and the sink has made no progress for `finishLimit` or `stallLimit`, the longer of both.
        var isLost = false
    }
}
