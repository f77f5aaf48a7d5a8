import CallreelCore
import CallreelNetwork
import Logging
import Synchronization

/// Detects carriers that use another host name than `publicURL`'s, and warns in the log and on the page.
///
/// This happens if a tunnel got a new name, or before `publicURL` is set. Webhooks then arrive, but the calls' audio
/// goes elsewhere.
final class TunnelHint: Sendable {
    private struct State {
        var current: String?
        /// Names already logged. Their number is limited, because any client can send any name.
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

    /// The page's warning about the last webhook; nil if its host was right.
    var warning: String? { state.withLock { $0.current }.map(text) }

    /// Checks the requested host of a webhook.
    func note(_ host: String?) {
        guard let host, let asked = PublicURL("http://" + host) else { return }
        let expected = publicURL()
        // An address or loopback's name comes from a proxy, or from a client on this machine.
        let isFine =
            asked.host == expected.host || AddressRange.isAddress(asked.host) || AddressRange.isLoopback(asked.host)
        let isNew = state.withLock { state in
            state.current = isFine ? nil : asked.authority
            guard !isFine, state.told.count < Self.toldLimit else { return false }
            return state.told.insert(asked.authority).inserted
        }
        if isNew { logger.warning("webhook came for another host", metadata: ["reason": "\(text(asked.authority))"]) }
    }

    private func text(_ host: String) -> String {
        "a webhook came for \(host), but its call's audio goes to \(publicURL().webSocket("")): "
            + "set publicURL to https://\(host) if carriers reach this server there"
    }
}
