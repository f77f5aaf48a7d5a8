import Synchronization

/// Tells all running calls to end at once.
final class HurrySignal: Sendable {
    private struct State {
        var isGiven = false
        var next = 0
        var actions: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Runs an action when the signal is given, or at once if it already was.
    /// - Returns: the ticket to pass to ``forget(_:)`` when the action is no longer needed.
    func onHurry(_ action: @escaping @Sendable () -> Void) -> Int {
        let (ticket, isGiven) = state.withLock { state in
            state.next += 1
            state.actions[state.next] = action
            return (state.next, state.isGiven)
        }
        if isGiven { action() }
        return ticket
    }

    /// Removes an action.
    func forget(_ ticket: Int) { state.withLock { _ = $0.actions.removeValue(forKey: ticket) } }

    /// The signal has been given.
    var isGiven: Bool { state.withLock { $0.isGiven } }

    /// Gives the signal.
    func give() {
        let actions = state.withLock { state in
            state.isGiven = true
            return Array(state.actions.values)
        }
        for action in actions { action() }
    }
}
