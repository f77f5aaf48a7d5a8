import Foundation

/// An IP address, or the network that it is the beginning of: `10.0.0.1`, `10.0.0.0/8`, `::1`, `fd00::/8`.
struct AddressRange: Hashable, Sendable {
    /// 16 bytes. IPv4 is mapped into IPv6 (RFC 4291, section 2.5.5.2), so that `::ffff:10.0.0.1` is `10.0.0.1`.
    private let bytes: [UInt8]
    /// Leading bits that an address of the network shares with it.
    private let prefix: Int

    /// Reads an address, or an address, a slash and a number of bits; nil for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = Self.parse(String(first)) else { return nil }
        self.bytes = bytes
        let width = first.contains(":") ? 128 : 32
        guard parts.count == 2 else {
            prefix = 128
            return
        }
        guard parts[1].allSatisfy({ $0.isASCII && $0.isNumber }), let bits = Int(parts[1]), (0...width).contains(bits) else { return nil }
        prefix = 128 - width + bits
    }

    /// Whether an address, in any of its spellings, lies in the network.
    func contains(_ address: String) -> Bool {
        guard let other = Self.parse(address) else { return false }
        return (0..<16).allSatisfy { index in
            let bits = min(8, max(0, prefix - index * 8))
            return (bytes[index] ^ other[index]) & UInt8(truncatingIfNeeded: 0xFF00 >> bits) == 0
        }
    }

    /// Whether a text is an address and nothing more.
    static func isAddress(_ text: String) -> Bool { parse(text) != nil }

    /// Whether what listens on an address or a name is reached from this machine only.
    static func isLoopback(_ host: String) -> Bool { host.lowercased() == "localhost" || loopback.contains { $0?.contains(host) ?? false } }

    private static let loopback = [AddressRange("127.0.0.0/8"), AddressRange("::1")]

    private static func parse(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if text.contains(":") { return unsafe inet_pton(AF_INET6, text, &bytes) == 1 ? bytes : nil }
        guard unsafe inet_pton(AF_INET, text, &bytes) == 1 else { return nil }
        return Array(repeating: 0, count: 10) + [0xFF, 0xFF] + bytes[..<4]
    }
}
