import HTTPTypes
import Hummingbird

/// Checks under which name a request came, and which page made a browser send it.
///
/// A page of another site can let its own name lead to this machine (DNS rebinding). The browser then takes the server for a part of
/// that site, and the page can read what the server shows to everybody. Without a password the server therefore answers only under names
/// that it knows. An address in the place of a name is always known, and so is a name without a dot: no such page can have it for its name, as
/// names without a dot lead nowhere on the internet.
struct KnownHosts: Sendable {
    /// Why a request is not answered.
    struct Refusal: Error, Sendable {
        let status: HTTPResponse.Status
        let reason: String
        let kind: RefusalReason
    }

    /// The names that are known besides loopback's; nil answers under any name, because a password protects what is shown.
    private let names: Set<String>?
    private let publicURL: PublicURL?

    /// Reads the names from a configuration.
    init(_ configuration: Configuration) {
        publicURL = configuration.publicURL
        let named = [configuration.listen.host] + configuration.access.hosts + (configuration.publicURL.map { [$0.host] } ?? [])
        names = configuration.access.isOpen ? Set(named.map(PublicURL.bare)) : nil
    }

    /// Refuses a request that came under a name that is not known, or that a page of another site made a browser send.
    /// - Parameters:
    ///   - host: its `Host` header; nil without one, which no browser leaves out.
    ///   - origins: the values of its `Origin` header (RFC 6454, section 7).
    ///   - forwardedHost: the host that a trusted proxy says was asked for.
    ///   - isForCarriers: carriers are answered under any name: a call must not be lost for one. Nothing is shown to them.
    func check(host: String?, origins: [String], forwardedHost: String?, isForCarriers: Bool = false) throws(Refusal) {
        if !origins.isEmpty {
            guard origins.count == 1, isOwn(origins[0], hosts: [host, forwardedHost].compactMap { $0 }) else {
                throw Refusal(status: .forbidden, reason: "a page of another site, \(shown(origins[0])), asks this", kind: .origin)
            }
        }
        if isForCarriers, origins.isEmpty { return }
        guard let host, !isKnown(host) else { return }
        throw Refusal(
            status: .misdirectedRequest,
            reason: "without a password this server answers only under names that it knows, and \(shown(host)) is none: "
                + "set access.password or access.token, or name it in publicURL or access.hosts", kind: .host)
    }

    /// Whether a page of an origin is ours: it has the host and port that the request came to, or those of the public URL.
    private func isOwn(_ origin: String, hosts: [String]) -> Bool {
        guard let origin = PublicURL(origin), origin.path.isEmpty else { return false }
        let scheme = origin.isSecure ? "https://" : "http://"
        if let publicURL, (publicURL.host, publicURL.port) == (origin.host, origin.port) { return true }
        return hosts.contains { PublicURL(scheme + $0) == origin }
    }

    /// Whether a `Host` header names this machine as far as is known.
    func isKnown(_ host: String) -> Bool {
        guard let names else { return true }
        guard let name = PublicURL("http://" + host)?.host else { return false }
        return AddressRange.isAddress(name) || !name.contains(".") || name.hasSuffix(".localhost") || names.contains(name)
    }

    /// A text from outside, short enough to be shown.
    private func shown(_ text: String) -> String { String(text.prefix(100)).debugDescription }
}
