import CallreelCore
import Logging
import Synchronization

/// Notices when carriers reach the server under another name than `publicURL`'s, and says so in the log and on the page.
///
/// That is so with a tunnel that got a new name, or before `publicURL` is set: webhooks come, and the calls' audio is sent elsewhere.
final class TunnelHint: Sendable {
    private struct State {
        var current: String?
        /// Names that the log has told of: anybody can send any, so they are few.
        var told: Set<String> = []
    }

    private static let toldLimit = 10

    private let publicURL: @Sendable () -> PublicURL
    private let logger: Logger
    private let state = Mutex(State())

    init(publicURL: @escaping @Sendable () -> PublicURL, logger: Logger) {
        self.publicURL = publicURL
        self.logger = logger
    }

    /// What the page says about the last webhook; nil when it came as it should.
    var warning: String? { state.withLock { $0.current }.map(text) }

    /// Notes the host that a webhook was sent to.
    func note(_ host: String?) {
        guard let host, let asked = PublicURL("http://" + host) else { return }
        let expected = publicURL()
        // An address, or loopback's name, is what a proxy makes of it, or somebody on this machine.
        let isFine = asked.host == expected.host || AddressRange.isAddress(asked.host) || AddressRange.isLoopback(asked.host)
        let isNew = state.withLock { state in
            state.current = isFine ? nil : asked.authority
            guard !isFine, state.told.count < Self.toldLimit else { return false }
            return state.told.insert(asked.authority).inserted
        }
        if isNew { logger.warning("webhook came for another host", metadata: ["reason": "\(text(asked.authority))"]) }
    }

    private func text(_ host: String) -> String {
        "a webhook came for \(host), and its call's audio is sent to \(publicURL().webSocket("")): set publicURL to https://\(host) if that is the "
            + "address at which carriers reach this server"
    }
}
