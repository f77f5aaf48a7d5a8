import CallreelCore

/// The status of one sink in a running call.
package struct SinkStatus: Sendable {
    /// The activity of a sink in a running call.
    package enum State: String, Sendable {
        /// The sink writes audio as it arrives.
        case recording
        /// The sink is slower than the call. The call waits for it, or has waited.
        case lagging
        /// The sink has stalled. Audio received before it recovers becomes silence in its output.
        case stalled
        /// The sink has finished.
        case complete
        /// The sink has failed for good.
        case failed
    }

    /// The sink's name in the configuration.
    package let name: String
    package let type: String
    package let state: State
    /// Seconds the call waited for the sink.
    package let heldSeconds: Double
    /// True when the sink receives audio even while the recording is paused.
    package let recordsPauses: Bool
}
