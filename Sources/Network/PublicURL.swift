import Foundation

/// The server's address for carriers and people, such as `https://calls.example.com/phone`.
package struct PublicURL: Hashable, Sendable, CustomStringConvertible {
    /// The scheme is https, so clients use TLS.
    package let isSecure: Bool
    /// The name or address in lower case, without brackets.
    package let host: String
    /// The port; nil means the scheme's default, 80 or 443.
    package let port: Int?
    /// The path before Callreel's own paths: empty, or such as `/phone`, without a final slash.
    package let path: String

    /// Parses an absolute http or https URL, in any spelling. Returns nil for any other text.
    package init?(_ text: String) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme),
            let host = parts.encodedHost.map(Self.bare), !host.isEmpty, parts.query == nil, parts.fragment == nil,
            parts.user == nil
        else { return nil }
        let steps = parts.percentEncodedPath.split(separator: "/")
        guard !steps.contains("."), !steps.contains(".."), parts.port.map((1...65535).contains) != false else {
            return nil
        }
        isSecure = scheme == "https"
        self.host = host
        port = parts.port == (isSecure ? 443 : 80) ? nil : parts.port
        path = steps.map { "/" + $0 }.joined()
    }

    /// Makes the URL of an address that the server listens on. A wildcard address becomes the loopback address of its
    /// family.
    package init(host: String, port: Int, isSecure: Bool) {
        let host = Self.bare(host)
        let loopback = host.contains(":") && !host.contains(".") ? "::1" : "127.0.0.1"
        self.host = AddressRange.isWildcard(host) ? loopback : host
        self.port = port
        self.isSecure = isSecure
        path = ""
    }

    /// Returns a host in lower case, without brackets and without the final dot of a full name.
    package static func bare(_ host: String) -> String {
        var host = host.lowercased()
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return host.count > 1 && host.hasSuffix(".") ? String(host.dropLast()) : host
    }

    /// The host as it stands in a URL, with its port unless that is the default.
    package var authority: String { (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "") }

    /// The URL without a final slash.
    package var description: String { "http\(isSecure ? "s" : "")://\(authority)\(path)" }

    /// Returns the WebSocket URL of a path on the same server: ws for http, wss for https (RFC 6455, section 3).
    package func webSocket(_ path: String) -> String { "ws\(isSecure ? "s" : "")://\(authority)\(self.path)\(path)" }
}
