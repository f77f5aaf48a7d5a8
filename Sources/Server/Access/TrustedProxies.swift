import CallreelNetwork

/// The proxies whose headers about a client Callreel believes. Any client can write these headers, so only listed
/// proxies are trusted.
///
/// A trusted proxy must set the headers that it uses and remove the others.
/// If several are present, `X-Forwarded-For` comes before `Forwarded` (RFC 7239), and `X-Real-IP` is last.
struct TrustedProxies: Sendable {
    /// Returns the values of a header, in the order of the header lines.
    typealias Headers = (_ name: String) -> [String]

    private let ranges: [AddressRange]

    /// Trusts the given addresses and networks. Ignores other texts.
    init(_ texts: [String]) { ranges = texts.compactMap(AddressRange.init) }

    private func trusts(_ address: String) -> Bool { ranges.contains { $0.contains(address) } }

    /// Returns a request's client address.
    ///
    /// Each proxy appends the address of its own client. The list is therefore read from its end, and only as far as
    /// trusted proxies wrote it.
    /// An entry may have a port, and brackets around an IPv6 address.
    /// - Parameter peer: the other end of the connection; nil if it has no address any more.
    func client(peer: String?, headers: Headers) -> String {
        var client = peer ?? "unknown"
        guard trusts(client) else { return client }
        var hops = Self.hops(headers)[...]
        while trusts(client), let address = hops.popLast().flatMap({ AddressRange.address(in: $0) }) {
            client = address
        }
        return client
    }

    private static func hops(_ headers: Headers) -> [String] {
        let forwardedFor = headers("X-Forwarded-For")
        if !forwardedFor.isEmpty { return forwardedFor.joined(separator: ",").split(separator: ",").map(String.init) }
        let forwarded = headers("Forwarded")
        if !forwarded.isEmpty { return ForwardedElement.read(forwarded).map { $0["for"] ?? "" } }
        return headers("X-Real-IP").suffix(1)
    }

    /// Returns true if a request came over TLS, to Callreel or to a trusted proxy according to its header.
    func isSecure(peer: String?, tls: Bool, headers: Headers) -> Bool {
        if tls { return true }
        guard let peer, trusts(peer) else { return false }
        let proto = Self.last("X-Forwarded-Proto", "proto", headers)
        return proto?.lowercased() == "https"
    }

    /// Returns the host and port that the client asked for, as reported by a trusted proxy; nil without a report.
    func host(peer: String?, headers: Headers) -> String? {
        guard let peer, trusts(peer) else { return nil }
        return Self.last("X-Forwarded-Host", "host", headers)
    }

    /// Returns the nearest proxy's value: the last one of a header or, without the header, of a parameter of
    /// `Forwarded`.
    private static func last(_ header: String, _ parameter: String, _ headers: Headers) -> String? {
        let values = headers(header)
        guard values.isEmpty else { return values.last?.split(separator: ",").last?.filter { $0 != " " && $0 != "\t" } }
        return ForwardedElement.read(headers("Forwarded")).last?[parameter]
    }
}
