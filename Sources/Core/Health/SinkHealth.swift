import Synchronization

/// Whether an entry of the configuration can be opened, as far as the last attempt told.
final class SinkHealth: Sendable {
    private let state = Mutex<String?>(nil)
    private let behind = Atomic(0)

    /// Why the sink could not be opened the last time; nil when it could, or was not tried yet.
    var problem: String? { state.withLock { $0 } }

    /// Running calls with which the sink does not keep up, when the heartbeat last looked.
    var callsBehind: Int { behind.load(ordering: .relaxed) }

    /// The sink does not keep up with so many running calls.
    func noteBehind(_ calls: Int) { behind.store(calls, ordering: .relaxed) }

    /// The sink was opened.
    func opened() { state.withLock { $0 = nil } }

    /// The sink could not be opened, in its fallback neither.
    func failed(_ reason: String) { state.withLock { $0 = reason } }
}
