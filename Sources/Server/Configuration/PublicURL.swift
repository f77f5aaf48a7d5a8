import Foundation

/// The address at which carriers and people reach the server, such as `https://calls.example.com/phone`.
package struct PublicURL: Hashable, Sendable, CustomStringConvertible {
    /// Whether it is reached over TLS.
    let isSecure: Bool
    /// The name or address in lower case, without brackets.
    let host: String
    /// Nil is the usual one, 80 or 443.
    let port: Int?
    /// The path before ours: empty, or such as `/phone`, without a slash at its end.
    let path: String

    /// Reads an absolute http or https URL, in any spelling; nil for anything else.
    package init?(_ text: String) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(), ["http", "https"].contains(scheme),
            let host = parts.encodedHost.map(Self.bare), !host.isEmpty, parts.query == nil, parts.fragment == nil, parts.user == nil
        else { return nil }
        let steps = parts.percentEncodedPath.split(separator: "/")
        guard !steps.contains("."), !steps.contains(".."), parts.port.map((1...65535).contains) != false else { return nil }
        isSecure = scheme == "https"
        self.host = host
        port = parts.port == (isSecure ? 443 : 80) ? nil : parts.port
        path = steps.map { "/" + $0 }.joined()
    }

    /// The URL of an address that the server listens on. A wildcard address is reached over the loopback address of its family.
    init(host: String, port: Int, isSecure: Bool) {
        let host = Self.bare(host)
        let loopback = host.contains(":") && !host.contains(".") ? "::1" : "127.0.0.1"
        self.host = AddressRange.isWildcard(host) ? loopback : host
        self.port = port
        self.isSecure = isSecure
        path = ""
    }

    /// A host without brackets, in lower case, without the dot that may stand at the end of a full name.
    static func bare(_ host: String) -> String {
        var host = host.lowercased()
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return host.count > 1 && host.hasSuffix(".") ? String(host.dropLast()) : host
    }

    /// The host as it stands in a URL, with its port where that is not the usual one.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "") }

    /// The URL without a slash at its end.
    package var description: String { "http\(isSecure ? "s" : "")://\(authority)\(path)" }

    /// The WebSocket URL of a path on the same server: ws for http, wss for https (RFC 6455, section 3).
    func webSocket(_ path: String) -> String { "ws\(isSecure ? "s" : "")://\(authority)\(self.path)\(path)" }
}
