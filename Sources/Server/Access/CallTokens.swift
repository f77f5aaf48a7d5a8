import Crypto
import Foundation
import Synchronization

/// The tokens that let calls in: the answer webhook makes one for each call, and the call's WebSocket brings it back.
///
/// A token is good for a short time, for the call it was made for, and once. It holds all of that itself under an
/// HMAC-SHA256, so nothing is kept for calls that never come; kept are the used ones, until they have expired.
/// The process that made a token measures the token's time on a clock of its own, which nobody can set. Another process goes by the
/// time of day.
/// With a configured key tokens outlive a restart, which forgets which ones were used.
final class CallTokens: Sendable {
    /// The query parameter that carries the token in the WebSocket's address.
    static let parameter = "token"
    /// Used tokens that are remembered at once.
    static let usedLimit = 1 << 17

    /// The first makes tokens; each is taken, so that a key can be changed without a call lost.
    private let keys: [SymmetricKey]
    private let lifetime: UInt64
    /// Stands for this process in its tokens.
    private let issuer = CallToken.random(CallToken.issuerSize)
    /// Where this process's own clock begins.
    private let origin = ContinuousClock.now
    /// Used tokens by their nonce.
    private let used = Mutex<[[UInt8]: CallToken]>([:])

    /// Makes tokens that are good for so many seconds.
    /// - Parameter keys: the first makes tokens, and each is taken. An empty list takes a new key, and tokens end with the process.
    init(keys: [String], lifetime: Int) {
        self.keys = keys.isEmpty ? [SymmetricKey(size: .bits256)] : keys.map { SymmetricKey(data: Array($0.utf8)) }
        self.lifetime = UInt64(lifetime)
    }

    /// Makes a token for a call; a call without a uuid gets one that any call may use.
    func issue(for uuid: String?, now: Date = Date(), at moment: ContinuousClock.Instant = .now) -> String {
        let deadline = UInt32(clamping: second(moment) + lifetime)
        let token = CallToken(expires: Self.second(now) + lifetime, issuer: issuer, deadline: deadline, call: CallToken.digest(of: uuid))
        return token.text(code: Array(HMAC<SHA256>.authenticationCode(for: token.signed, using: keys[0])))
    }

    /// Checks the token in a request's address, without using it up.
    func check(_ uri: String, now: Date = Date(), at moment: ContinuousClock.Instant = .now) throws(Unauthorized) {
        let token = try read(uri, now: now, at: moment)
        if used.withLock({ $0[token.nonce] != nil }) { throw Unauthorized("the call's token was used before") }
    }

    /// Takes the token in a request's address, for good.
    func redeem(_ uri: String, now: Date = Date(), at moment: ContinuousClock.Instant = .now) throws(Unauthorized) {
        let token = try read(uri, now: now, at: moment)
        let refusal: Unauthorized? = used.withLock { used in
            if used[token.nonce] != nil { return Unauthorized("the call's token was used before") }
            if used.count >= Self.usedLimit { used = used.filter { !isExpired($0.value, now: now, at: moment) } }
            if used.count >= Self.usedLimit { return Unauthorized("too many calls have come in a short time") }
            used[token.nonce] = token
            return nil
        }
        if let refusal { throw refusal }
    }

    /// Reads a token that is ours and has not expired.
    private func read(_ uri: String, now: Date, at moment: ContinuousClock.Instant) throws(Unauthorized) -> CallToken {
        guard let text = CallToken.text(in: uri) else { throw Unauthorized("the call's token is missing") }
        guard let (token, code) = CallToken.read(text), isOurs(token, code) else {
            throw Unauthorized("the call's token is not one of ours")
        }
        guard !isExpired(token, now: now, at: moment) else { throw Unauthorized("the call's token has expired") }
        return token
    }

    private func isOurs(_ token: CallToken, _ code: [UInt8]) -> Bool {
        keys.contains { HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: token.signed, using: $0) }
    }

    private func isExpired(_ token: CallToken, now: Date, at moment: ContinuousClock.Instant) -> Bool {
        if let deadline = token.deadline(of: issuer) { return second(moment) >= deadline }
        return Self.second(now) >= token.expires
    }

    /// Seconds on this process's own clock.
    private func second(_ moment: ContinuousClock.Instant) -> UInt64 { UInt64(max(0, (moment - origin) / .seconds(1))) }

    /// Seconds since 1970, also for a time of day that is none.
    private static func second(_ date: Date) -> UInt64 { UInt64(min(max(0, date.timeIntervalSince1970), 1e15)) }
}
