import CallreelCore
import Synchronization

/// The account of a running sink, for the manifest of the running call.
///
/// The sink's worker updates it at each checkpoint, and when a stretch begins or ends on the sink's timeline. Ordinary
/// chunks of audio do not update it. Any thread may read it.
final class LiveAccount: Sendable {
    private struct State {
        var account = SinkAccount()
        /// Frames of the call in the open part, as of the last update; nil if no part is open.
        var part: Range<Int>?
    }

    private let state = Mutex(State())
    private let onChange: @Sendable () -> Void

    /// Makes the account of a sink without any audio.
    /// - Parameter onChange: called from any thread when a stretch begins or ends on the timeline. Must not block.
    init(onChange: @escaping @Sendable () -> Void = {}) { self.onChange = onChange }

    /// The account as of the last update. It counts the audio up to the last checkpoint at least.
    var tally: SinkAccount.Tally { state.withLock { $0.account.interim(open: $0.part) } }

    /// Replaces the account.
    /// - Parameter isNews: true if a stretch began or ended; false if one only grew.
    func update(_ account: SinkAccount, part: Range<Int>?, isNews: Bool) {
        state.withLock { state in
            state.account = account
            state.part = part
        }
        if isNews { onChange() }
    }
}
