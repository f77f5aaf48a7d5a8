import Synchronization

/// A wake-up signal for one waiting task.
///
/// A ring while no task waits makes the next wait return at once; several such rings count as one. Unlike a stream,
/// the signal also works in a cancelled task: a recording is finished even when its task is told to stop.
package final class Bell: Sendable {
    private struct State {
        var hasRung = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Makes a bell with no ring pending.
    package init() {}

    /// Wakes the waiting task, or the next one to wait. Never blocks.
    package func ring() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            defer { state.waiter = nil }
            if state.waiter == nil { state.hasRung = true }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Waits for the next ring. Returns at once if the bell has rung since the last wait. One task at a time may wait.
    package func wait() async {
        await withCheckedContinuation { continuation in
            let isDue = state.withLock { state in
                defer { state.hasRung = false }
                if !state.hasRung { state.waiter = continuation }
                return state.hasRung
            }
            if isDue { continuation.resume() }
        }
    }
}
