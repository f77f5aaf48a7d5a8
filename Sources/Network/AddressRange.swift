import Foundation

/// An IP address or a network: `10.0.0.1`, `10.0.0.0/8`, `::1`, `fd00::/8`.
package struct AddressRange: Hashable, Sendable {
    /// 16 bytes. IPv4 is mapped into IPv6 (RFC 4291, section 2.5.5.2), so that `::ffff:10.0.0.1` equals `10.0.0.1`.
    private let bytes: [UInt8]
    /// Leading bits that all addresses of the network share.
    private let prefix: Int

    /// Parses an address, or an address, a slash and a number of bits. Returns nil for any other text.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = Self.parse(String(first)) else { return nil }
        self.bytes = bytes
        let width = first.contains(":") ? 128 : 32
        guard parts.count == 2 else {
            prefix = 128
            return
        }
        guard parts[1].allSatisfy({ $0.isASCII && $0.isNumber }), let bits = Int(parts[1]), (0...width).contains(bits)
        else { return nil }
        prefix = 128 - width + bits
    }

    /// Returns true if an address, in any spelling, lies in the network.
    package func contains(_ address: String) -> Bool {
        guard let other = Self.parse(address) else { return false }
        return (0..<16).allSatisfy { index in
            let bits = min(8, max(0, prefix - index * 8))
            return (bytes[index] ^ other[index]) & UInt8(truncatingIfNeeded: 0xFF00 >> bits) == 0
        }
    }

    /// Returns true if the text is an IP address and nothing more.
    package static func isAddress(_ text: String) -> Bool { parse(text) != nil }

    /// Returns the address in a text with an optional port, and brackets around IPv6, such as `[2001:db8::7]:51234`.
    /// Returns nil if there is none.
    package static func address(in text: String) -> String? {
        var text = text.filter { $0 != " " && $0 != "\t" }[...]
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]"), isPort(text[text.index(after: close)...]) else { return nil }
            text = text[text.index(after: text.startIndex)..<close]
            guard text.contains(":") else { return nil }
        } else if let colon = text.firstIndex(of: ":"), !text[text.index(after: colon)...].contains(":"),
            isPort(text[colon...])
        {
            text = text[..<colon]
        }
        // A zone (RFC 4007, section 11) has a meaning only on the proxy's machine.
        if text.contains(":"), let zone = text.firstIndex(of: "%") { text = text[..<zone] }
        return isAddress(String(text)) ? String(text) : nil
    }

    /// Returns true if the text is empty, or a colon and a port. Some proxies write a name instead of the number (RFC
    /// 7239, section 6).
    private static func isPort(_ text: Substring) -> Bool {
        text.isEmpty
            || text.count > 1 && text.first == ":"
                && text.dropFirst().allSatisfy { $0.isASCII && ($0.isNumber || $0.isLetter || "_.-".contains($0)) }
    }

    /// Returns true for an address that stands for all addresses of a machine, such as `0.0.0.0` or `::`.
    static func isWildcard(_ text: String) -> Bool {
        guard let bytes = parse(text) else { return false }
        return bytes.allSatisfy { $0 == 0 } || bytes == Array(repeating: 0, count: 10) + [0xFF, 0xFF, 0, 0, 0, 0]
    }

    /// Returns true if a listener on this address or name is reachable from this machine only.
    package static func isLoopback(_ host: String) -> Bool {
        let host = PublicURL.bare(host)
        return host.lowercased() == "localhost" || loopback.contains { $0?.contains(host) ?? false }
    }

    private static let loopback = [AddressRange("127.0.0.0/8"), AddressRange("::1")]

    private static func parse(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if text.contains(":") { return unsafe inet_pton(AF_INET6, text, &bytes) == 1 ? bytes : nil }
        guard unsafe inet_pton(AF_INET, text, &bytes) == 1 else { return nil }
        return Array(repeating: 0, count: 10) + [0xFF, 0xFF] + bytes[..<4]
    }
}
