import Crypto
import Foundation
import Synchronization

/// The tokens that admit calls. The answer webhook makes a token for each call, and the call's WebSocket request brings
/// it back.
///
/// A token is valid for a short time, for one call, and once. It carries its own expiry time and call under an
/// HMAC-SHA256.
/// Calls that never come therefore use no memory: only used tokens are kept, until they expire.
/// The process that made a token checks the expiry on its own monotonic clock. Another process checks it by the time of
/// day.
/// With a configured key, tokens stay valid across a restart. The restart forgets the used ones.
final class CallTokens: Sendable {
    /// The query parameter for the token in the WebSocket's address.
    static let parameter = "token"
    /// The largest number of used tokens kept at once. When it is reached, no more calls are admitted until some
    /// expire.
    static let usedLimit = 1 << 17

    /// The first key makes tokens. All keys are valid for checks, so that you can change a key without losing a call.
    private let keys: [SymmetricKey]
    private let lifetime: UInt64
    /// The carrier entry to whose calls the tokens are bound. Two entries may have the same key.
    private let entry: String?
    /// Random bytes that name this process in its tokens.
    private let issuer = CallToken.random(CallToken.issuerSize)
    /// Zero of this process's own clock.
    private let origin = ContinuousClock.now
    /// Used tokens by their nonce.
    private let used = Mutex<[[UInt8]: CallToken]>([:])

    /// Makes a source of tokens with a lifetime in seconds.
    /// - Parameters:
    ///   - keys: the first makes tokens, and all are valid for checks. An empty list means a new random key,
    ///     so tokens end with the process.
    ///   - entry: the carrier entry to whose calls the tokens are bound; nil for an entry with its type's own name.
    init(keys: [String], lifetime: Int, entry: String? = nil) {
        self.entry = entry
        self.keys = keys.isEmpty ? [SymmetricKey(size: .bits256)] : keys.map { SymmetricKey(data: Array($0.utf8)) }
        self.lifetime = UInt64(lifetime)
    }

    /// Makes a token for a call. Without a uuid, the token admits any call.
    func issue(for uuid: String?, now: Date = Date(), at moment: ContinuousClock.Instant = .now) -> String {
        let deadline = UInt32(clamping: second(moment) + lifetime)
        let token = CallToken(
            expires: Self.second(now) + lifetime, issuer: issuer, deadline: deadline, call: CallToken.digest(of: uuid))
        let code = HMAC<SHA256>.authenticationCode(for: token.signed(for: entry), using: keys[0])
        return token.text(code: Array(code))
    }

    /// Checks the token in a request's address, without using it up.
    func check(_ uri: String, now: Date = Date(), at moment: ContinuousClock.Instant = .now) throws(Unauthorized) {
        let token = try read(uri, now: now, at: moment)
        if used.withLock({ $0[token.nonce] != nil }) { throw Unauthorized("the call's token was used before") }
    }

    /// Checks the token in a request's address and uses it up.
    func redeem(_ uri: String, now: Date = Date(), at moment: ContinuousClock.Instant = .now) throws(Unauthorized) {
        let token = try read(uri, now: now, at: moment)
        let refusal: Unauthorized? = used.withLock { used in
            if used[token.nonce] != nil { return Unauthorized("the call's token was used before") }
            if used.count >= Self.usedLimit { used = used.filter { !isExpired($0.value, now: now, at: moment) } }
            if used.count >= Self.usedLimit { return Unauthorized("too many calls arrived in a short time") }
            used[token.nonce] = token
            return nil
        }
        if let refusal { throw refusal }
    }

    /// Returns the token in a request's address, if one of the keys made it and it has not expired.
    private func read(_ uri: String, now: Date, at moment: ContinuousClock.Instant) throws(Unauthorized) -> CallToken {
        guard let text = CallToken.text(in: uri) else { throw Unauthorized("the call's token is missing") }
        guard let (token, code) = CallToken.read(text), isOurs(token, code) else {
            throw Unauthorized("the call's token is invalid")
        }
        guard !isExpired(token, now: now, at: moment) else { throw Unauthorized("the call's token has expired") }
        return token
    }

    private func isOurs(_ token: CallToken, _ code: [UInt8]) -> Bool {
        let signed = token.signed(for: entry)
        return keys.contains { HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: signed, using: $0) }
    }

    private func isExpired(_ token: CallToken, now: Date, at moment: ContinuousClock.Instant) -> Bool {
        if let deadline = token.deadline(of: issuer) { return second(moment) >= deadline }
        return Self.second(now) >= token.expires
    }

    /// Returns the seconds on this process's own clock.
    private func second(_ moment: ContinuousClock.Instant) -> UInt64 { UInt64(max(0, (moment - origin) / .seconds(1))) }

    /// Returns seconds since 1970, limited to 0...1e15 so that an invalid date cannot trap.
    private static func second(_ date: Date) -> UInt64 { UInt64(min(max(0, date.timeIntervalSince1970), 1e15)) }
}
