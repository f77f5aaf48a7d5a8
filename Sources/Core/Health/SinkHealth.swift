import Synchronization

/// Whether an entry of the configuration can be opened, as far as the last attempt told.
final class SinkHealth: Sendable {
    private let state = Mutex<String?>(nil)

    /// Why the sink could not be opened the last time; nil when it could, or was not tried yet.
    var problem: String? { state.withLock { $0 } }

    /// The sink was opened.
    func opened() { state.withLock { $0 = nil } }

    /// The sink could not be opened, in its fallback neither.
    func failed(_ reason: String) { state.withLock { $0 = reason } }
}
