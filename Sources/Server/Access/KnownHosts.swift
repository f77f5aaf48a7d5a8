import CallreelNetwork
import HTTPTypes
import Hummingbird

/// Checks the requested host name, and the page from which a browser sent the request.
///
/// A page of another site can point its own name at this machine (DNS rebinding). The browser then treats the server as
/// part of that site.
/// The page can then read everything that the server shows without a password.
/// Without a password, the server therefore answers only to known names.
/// IP addresses are always known, and so are names without a dot. Such names lead nowhere on the internet,
/// so no foreign page can have one.
struct KnownHosts: Sendable {
    /// The reason to refuse a request, with the status to answer.
    struct Refusal: Error, Sendable {
        let status: HTTPResponse.Status
        let reason: String
        let kind: RefusalReason
    }

    /// The known names, besides loopback's. Nil answers under any name, because a password protects the content.
    private let names: Set<String>?
    private let publicURL: PublicURL?

    /// Reads the names from a configuration.
    init(_ configuration: Configuration) {
        publicURL = configuration.publicURL
        let named =
            [configuration.listen.host] + configuration.access.hosts + (configuration.publicURL.map { [$0.host] } ?? [])
        names = configuration.access.isOpen ? Set(named.map(PublicURL.bare)) : nil
    }

    /// Refuses a request to an unknown name, or from a page of another site in a browser.
    /// - Parameters:
    ///   - host: the `Host` header; nil without one. Browsers always send it.
    ///   - origins: the values of the `Origin` header (RFC 6454, section 7).
    ///   - forwardedHost: the requested host, as a trusted proxy reports it.
    ///   - isForCarriers: true for carriers. They may use any name, so that no call is lost; they see no content.
    func check(host: String?, origins: [String], forwardedHost: String?, isForCarriers: Bool = false) throws(Refusal) {
        if !origins.isEmpty {
            guard origins.count == 1, isOwn(origins[0], hosts: [host, forwardedHost].compactMap { $0 }) else {
                throw Refusal(
                    status: .forbidden, reason: "a page of another site, \(shown(origins[0])), sent this", kind: .origin
                )
            }
        }
        if isForCarriers, origins.isEmpty { return }
        guard let host, !isKnown(host) else { return }
        throw Refusal(
            status: .misdirectedRequest,
            reason:
                "the host name \(shown(host)) is unknown to this server, which has no password: "
                + "set access.password or access.token, or add the name to publicURL or access.hosts", kind: .host)
    }

    /// Returns true if an origin is Callreel's own page: it has the request's host and port, or those of the public
    /// URL.
    private func isOwn(_ origin: String, hosts: [String]) -> Bool {
        guard let origin = PublicURL(origin), origin.path.isEmpty else { return false }
        let scheme = origin.isSecure ? "https://" : "http://"
        if let publicURL, (publicURL.host, publicURL.port) == (origin.host, origin.port) { return true }
        return hosts.contains { PublicURL(scheme + $0) == origin }
    }

    /// Returns true if a `Host` header holds a known name of this machine.
    func isKnown(_ host: String) -> Bool {
        guard let names else { return true }
        guard let name = PublicURL("http://" + host)?.host else { return false }
        return AddressRange.isAddress(name) || !name.contains(".") || name.hasSuffix(".localhost")
            || names.contains(name)
    }

    /// Returns a client's text, shortened and escaped for messages.
    private func shown(_ text: String) -> String { String(text.prefix(100)).debugDescription }
}
