import Crypto
import Foundation

/// The content of a call token, without its authentication code.
struct CallToken: Sendable {
    /// Text under the authentication code that ties it to this purpose. A key used elsewhere too thus makes no valid
    /// tokens there.
    private static let purpose = "callreel call token 1"
    private static let nonceSize = 16, digestSize = 16, codeSize = 32
    /// Leading bytes of the nonce that name the process. The next 4 bytes hold the deadline on that process's own
    /// clock.
    static let issuerSize = 6
    private static let deadlineSize = 4

    /// Expiry time, in seconds since 1970.
    let expires: UInt64
    /// A unique value: the process that made the token, the deadline on its clock, and random bytes.
    let nonce: [UInt8]
    /// The call that the token admits: the first 16 bytes of the SHA-256 of its uuid. Zeros admit any call.
    let call: [UInt8]

    /// Makes a new token.
    /// - Parameters:
    ///   - issuer: the bytes that name the process.
    ///   - deadline: the expiry time in seconds on that process's own clock.
    init(expires: UInt64, issuer: [UInt8], deadline: UInt32, call: [UInt8]) {
        let time = (0..<Self.deadlineSize).reversed().map { UInt8(truncatingIfNeeded: deadline >> ($0 * 8)) }
        let random = Self.random(Self.nonceSize - Self.issuerSize - Self.deadlineSize)
        self.init(expires: expires, nonce: issuer + time + random, call: call)
    }

    /// Returns random bytes from the system's secure generator.
    static func random(_ count: Int) -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        return (0..<count).map { _ in .random(in: .min ... .max, using: &random) }
    }

    /// Returns the expiry time in seconds on a process's own clock. Returns nil if another process made the token.
    func deadline(of issuer: [UInt8]) -> UInt32? {
        guard nonce.starts(with: issuer) else { return nil }
        return nonce.dropFirst(Self.issuerSize).prefix(Self.deadlineSize).reduce(0) { $0 << 8 | UInt32($1) }
    }

    private init(expires: UInt64, nonce: [UInt8], call: [UInt8]) {
        self.expires = expires
        self.nonce = nonce
        self.call = call
    }

    /// Returns the digest that stands for a call in its token; zeros without a uuid.
    static func digest(of uuid: String?) -> [UInt8] {
        guard let uuid, !uuid.isEmpty else { return Array(repeating: 0, count: digestSize) }
        return Array(SHA256.hash(data: Array(uuid.utf8)).prefix(digestSize))
    }

    /// Returns true if the token admits the call of this uuid.
    func isFor(_ uuid: String?) -> Bool { call == Self.digest(of: nil) || call == Self.digest(of: uuid) }

    private var content: [UInt8] {
        (0..<8).reversed().map { UInt8(truncatingIfNeeded: expires >> ($0 * 8)) } + nonce + call
    }

    /// Returns the bytes under the authentication code.
    /// - Parameter entry: the carrier entry whose call it is. Nil for an entry with its type's own name.
    func signed(for entry: String?) -> [UInt8] {
        Array(Self.purpose.utf8) + (entry.map { Array(" for \($0) ".utf8) } ?? []) + content
    }

    // MARK: - As text

    /// Returns the token as it stands in an address: base64url (RFC 4648, section 5).
    func text(code: [UInt8]) -> String {
        Data(content + code).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
            "=", with: "")
    }

    /// Returns the text of the token in a request's address.
    static func text(in uri: String) -> String? {
        let query = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).dropFirst().first ?? ""
        let name = CallTokens.parameter + "="
        return query.split(separator: "&").first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) }
    }

    /// Parses a token and the authentication code sent with it. Checks neither.
    static func read(_ text: String) -> (CallToken, code: [UInt8])? {
        let size = 8 + nonceSize + digestSize + codeSize
        // 72 bytes are 96 characters, without padding.
        guard text.utf8.count == size / 3 * 4,
            let data = Data(base64Encoded: text.replacing("-", with: "+").replacing("_", with: "/")),
            data.count == size
        else { return nil }
        let bytes = [UInt8](data)
        let expires = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
        let token = CallToken(
            expires: expires, nonce: Array(bytes[8..<(8 + nonceSize)]),
            call: Array(bytes[(8 + nonceSize)..<(8 + nonceSize + digestSize)]))
        return (token, Array(bytes[(size - codeSize)...]))
    }
}
