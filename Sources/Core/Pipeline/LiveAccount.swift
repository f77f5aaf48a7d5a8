import Synchronization

/// A running sink's account, for those who want to know before the call is over: the manifest of the running call.
///
/// The sink's worker updates it when something begins or ends on the sink's timeline, and at each checkpoint; never for a chunk
/// of audio that is written as it came. Any thread may read it.
final class LiveAccount: Sendable {
    private struct State {
        var account = SinkAccount()
        /// What of the call is in the part that is open, as of the last update.
        var part: Range<Int>?
    }

    private let state = Mutex(State())
    private let onChange: @Sendable () -> Void

    /// Makes the account of a sink that has nothing yet.
    /// - Parameter onChange: called, from any thread, when something began or ended on the sink's timeline. It must not block.
    init(onChange: @escaping @Sendable () -> Void = {}) { self.onChange = onChange }

    /// The account as it stood at the last update. The audio counts up to the last checkpoint at least.
    var tally: SinkAccount.Tally { state.withLock { $0.account.interim(open: $0.part) } }

    /// Replaces what is known.
    /// - Parameter isNews: whether something began or ended; otherwise there is only more of what there was.
    func update(_ account: SinkAccount, part: Range<Int>?, isNews: Bool) {
        state.withLock { state in
            state.account = account
            state.part = part
        }
        if isNews { onChange() }
    }
}
