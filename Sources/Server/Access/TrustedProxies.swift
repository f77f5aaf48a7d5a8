import NIOCore

/// The proxies whose word about a client is believed. Anybody can write the headers; only these may.
struct TrustedProxies: Sendable {
    private let ranges: [AddressRange]

    /// Trusts addresses and networks; texts that are neither are trusted with nothing.
    init(_ texts: [String]) { ranges = texts.compactMap(AddressRange.init) }

    private func trusts(_ address: String) -> Bool { ranges.contains { $0.contains(address) } }

    /// The address that a request comes from.
    ///
    /// Each proxy appends the address that it was asked from, so the list is read from its end, and only as far as
    /// trusted proxies wrote it.
    /// - Parameters:
    ///   - peer: the other end of the connection; nil where it has no address any more.
    ///   - forwardedFor: the values of `X-Forwarded-For`, in the order of the header lines.
    func client(peer: String?, forwardedFor: [String]) -> String {
        var client = peer ?? "unknown"
        var hops = forwardedFor.joined(separator: ",").split(separator: ",")[...]
        while trusts(client), let hop = hops.popLast()?.filter({ $0 != " " && $0 != "\t" }), AddressRange.isAddress(hop) { client = hop }
        return client
    }

    /// Whether a request came over TLS, to us or to a proxy that says so.
    /// - Parameter forwardedProto: the values of `X-Forwarded-Proto`.
    func isSecure(peer: String?, tls: Bool, forwardedProto: [String]) -> Bool {
        if tls { return true }
        guard let peer, trusts(peer), let last = forwardedProto.last?.split(separator: ",").last else { return false }
        return last.filter { $0 != " " }.lowercased() == "https"
    }
}
