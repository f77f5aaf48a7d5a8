import Crypto
import Foundation

/// What a token says.
struct CallToken: Sendable {
    /// What its authentication code is of, so that a key that is used elsewhere too makes no tokens there.
    private static let purpose = Array("callreel call token 1".utf8)
    private static let nonceSize = 16, digestSize = 16, codeSize = 32
    /// Bytes of the nonce that say which process made the token, and when it is too late by that process's own clock.
    static let issuerSize = 6
    private static let deadlineSize = 4

    /// Seconds since 1970 at which it is too late.
    let expires: UInt64
    /// Makes it unlike all others: the process that made it, the time on that process's clock, and chance.
    let nonce: [UInt8]
    /// Which call it is for: the beginning of its uuid's SHA-256; zeros for any.
    let call: [UInt8]

    /// Makes a new token.
    /// - Parameters:
    ///   - issuer: which process makes it.
    ///   - deadline: when it is too late, in seconds on that process's own clock.
    init(expires: UInt64, issuer: [UInt8], deadline: UInt32, call: [UInt8]) {
        let time = (0..<Self.deadlineSize).reversed().map { UInt8(truncatingIfNeeded: deadline >> ($0 * 8)) }
        let random = Self.random(Self.nonceSize - Self.issuerSize - Self.deadlineSize)
        self.init(expires: expires, nonce: issuer + time + random, call: call)
    }

    /// So many bytes that nobody can guess.
    static func random(_ count: Int) -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        return (0..<count).map { _ in .random(in: .min ... .max, using: &random) }
    }

    /// When it is too late on the clock of a process, in seconds; nil if another process made the token.
    func deadline(of issuer: [UInt8]) -> UInt32? {
        guard nonce.starts(with: issuer) else { return nil }
        return nonce.dropFirst(Self.issuerSize).prefix(Self.deadlineSize).reduce(0) { $0 << 8 | UInt32($1) }
    }

    private init(expires: UInt64, nonce: [UInt8], call: [UInt8]) {
        self.expires = expires
        self.nonce = nonce
        self.call = call
    }

    /// Stands for a call in its token.
    static func digest(of uuid: String?) -> [UInt8] {
        guard let uuid, !uuid.isEmpty else { return Array(repeating: 0, count: digestSize) }
        return Array(SHA256.hash(data: Array(uuid.utf8)).prefix(digestSize))
    }

    /// Whether the token is good for the call of this uuid.
    func isFor(_ uuid: String?) -> Bool { call == Self.digest(of: nil) || call == Self.digest(of: uuid) }

    private var content: [UInt8] { (0..<8).reversed().map { UInt8(truncatingIfNeeded: expires >> ($0 * 8)) } + nonce + call }

    /// What the authentication code is of.
    var signed: [UInt8] { Self.purpose + content }

    // MARK: - As text

    /// The token as it stands in an address: base64url (RFC 4648, section 5).
    func text(code: [UInt8]) -> String {
        Data(content + code).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// The text of the token in a request's address.
    static func text(in uri: String) -> String? {
        let query = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).dropFirst().first ?? ""
        let name = CallTokens.parameter + "="
        return query.split(separator: "&").first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) }
    }

    /// Reads a token, with the authentication code that was sent along; nothing is checked yet.
    static func read(_ text: String) -> (CallToken, code: [UInt8])? {
        let size = 8 + nonceSize + digestSize + codeSize
        // 72 bytes are 96 characters, without padding.
        guard text.utf8.count == size / 3 * 4, let data = Data(base64Encoded: text.replacing("-", with: "+").replacing("_", with: "/")),
            data.count == size
        else { return nil }
        let bytes = [UInt8](data)
        let expires = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
        let token = CallToken(
            expires: expires, nonce: Array(bytes[8..<(8 + nonceSize)]), call: Array(bytes[(8 + nonceSize)..<(8 + nonceSize + digestSize)]))
        return (token, Array(bytes[(size - codeSize)...]))
    }
}
