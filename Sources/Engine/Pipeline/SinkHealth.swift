import CallreelCore
import Synchronization

/// The result of a sink's last attempt to open, and the number of calls it does not keep up with.
final class SinkHealth: Sendable {
    private let state = Mutex<String?>(nil)
    private let behind = Atomic(0)

    /// The reason for the last failure to open the sink. Nil if the last attempt succeeded, or none was made.
    var problem: String? { state.withLock { $0 } }

    /// Running calls the sink does not keep up with, as counted by the last heartbeat.
    var callsBehind: Int { behind.load(ordering: .relaxed) }

    /// Stores the number of running calls the sink does not keep up with.
    func noteBehind(_ calls: Int) { behind.store(calls, ordering: .relaxed) }

    /// Notes a successful attempt to open.
    func opened() { state.withLock { $0 = nil } }

    /// Notes a failed attempt to open, in the fallback directory too if there is one.
    func failed(_ reason: String) { state.withLock { $0 = reason } }
}
