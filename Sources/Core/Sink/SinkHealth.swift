import Synchronization

/// Whether an entry of the configuration can be opened, as far as the last attempt told.
final class SinkHealth: Sendable {
    private struct State {
        var problem: String?
        var since = ContinuousClock.now
    }

    private let state = Mutex(State())

    /// Why the sink could not be opened the last time, and when that was; nil when it could, or was not tried yet.
    var problem: (reason: String, since: ContinuousClock.Instant)? {
        state.withLock { state in state.problem.map { ($0, state.since) } }
    }

    /// The sink was opened.
    func opened() { state.withLock { $0.problem = nil } }

    /// The sink could not be opened, in its fallback neither.
    func failed(_ reason: String) {
        state.withLock {
            $0.problem = reason
            $0.since = .now
        }
    }
}
