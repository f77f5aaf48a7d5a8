import Foundation

/// The address at which carriers reach the server, such as `https://calls.example.com`.
package struct PublicURL: Hashable, Sendable, CustomStringConvertible {
    /// The URL without a slash at its end.
    package let description: String

    /// Reads an absolute http or https URL; nil for anything else.
    package init?(_ text: String) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(), ["http", "https"].contains(scheme),
            let host = parts.host, !host.isEmpty, parts.query == nil, parts.fragment == nil, parts.user == nil
        else { return nil }
        description = text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    /// The URL of an address that the server listens on. The wildcard addresses are reached over loopback.
    init(host: String, port: Int, isSecure: Bool) {
        let reached = ["0.0.0.0", "::", ""].contains(host) ? "127.0.0.1" : host
        description = "http\(isSecure ? "s" : "")://\(reached.contains(":") ? "[\(reached)]" : reached):\(port)"
    }

    /// Whether it is reached over TLS.
    var isSecure: Bool { description.lowercased().hasPrefix("https:") }

    /// The WebSocket URL of a path on the same server: ws for http, wss for https (RFC 6455, section 3).
    func webSocket(_ path: String) -> String { "ws" + description.dropFirst("http".count) + path }
}
