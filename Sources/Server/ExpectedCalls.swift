import Foundation
import Synchronization

/// Calls that were answered and whose audio has not come yet, while callers hear the greeting.
///
/// The server's end waits for them. They are kept for as long as their tokens are good, and only so many of them.
final class ExpectedCalls: Sendable {
    /// Calls that are kept at once.
    static let limit = 10_000

    private let lifetime: Duration
    /// When each call is given up, by the digest of its uuid.
    private let calls = Mutex<[[UInt8]: ContinuousClock.Instant]>([:])

    /// Makes an empty list.
    /// - Parameter lifetime: seconds for which a call is expected.
    init(lifetime: Int) { self.lifetime = .seconds(lifetime) }

    /// Notes that a call was answered.
    func add(_ uuid: String?, now: ContinuousClock.Instant = .now) {
        calls.withLock { calls in
            if calls.count >= Self.limit { calls = calls.filter { $0.value > now } }
            if calls.count < Self.limit { calls[CallToken.digest(of: uuid)] = now + lifetime }
        }
    }

    /// Notes that a call has come, or that it will not come.
    func remove(_ uuid: String?) { calls.withLock { _ = $0.removeValue(forKey: CallToken.digest(of: uuid)) } }

    /// Notes that the call of a token has come, or, where calls have no tokens, one of them.
    func remove(_ token: CallToken?) {
        calls.withLock { calls in
            guard let key = token?.call ?? calls.min(by: { $0.value < $1.value })?.key else { return }
            calls[key] = nil
        }
    }

    /// Whether no call is expected any more.
    func isEmpty(now: ContinuousClock.Instant = .now) -> Bool { calls.withLock { $0.values.allSatisfy { $0 <= now } } }
}
