import Foundation
import Synchronization

/// Calls between the webhook's answer and the first audio, while callers hear the greeting.
///
/// The server's shutdown waits for them. Each is kept until its token expires. Their number is limited;
/// calls beyond the limit are not kept.
final class ExpectedCalls: Sendable {
    /// The largest number of kept calls.
    static let limit = 10_000

    private struct State {
        /// The expiry time of each call with a uuid, by the uuid's digest. A second webhook request for a call renews
        /// its time.
        var named: [[UInt8]: ContinuousClock.Instant] = [:]
        /// The expiry times of calls without a uuid, earliest first.
        var unnamed: [ContinuousClock.Instant] = []

        var count: Int { named.count + unnamed.count }

        mutating func forget(before now: ContinuousClock.Instant) {
            named = named.filter { $0.value > now }
            unnamed.removeAll { $0 <= now }
        }

        mutating func remove(_ key: [UInt8]) {
            if key != ExpectedCalls.unnamed {
                named[key] = nil
            } else if !unnamed.isEmpty {
                unnamed.removeFirst()
            }
        }
    }

    /// The digest of a call without a uuid.
    private static let unnamed = CallToken.digest(of: nil)

    private let state = Mutex(State())

    /// Adds a call after its webhook was answered.
    /// - Parameter lifetime: seconds until the call is given up.
    func add(_ uuid: String?, lifetime: Int, now: ContinuousClock.Instant = .now) {
        let key = CallToken.digest(of: uuid), end = now + .seconds(lifetime)
        state.withLock { state in
            if state.count >= Self.limit { state.forget(before: now) }
            guard state.count < Self.limit else { return }
            if key == Self.unnamed { state.unnamed.append(end) } else { state.named[key] = end }
        }
    }

    /// Removes a call that has connected or will not connect.
    func remove(_ uuid: String?) { state.withLock { $0.remove(CallToken.digest(of: uuid)) } }

    /// Removes the call of a token. Without a token, removes the call that expires first.
    func remove(_ token: CallToken?) {
        state.withLock { state in
            if let token { return state.remove(token.call) }
            let first = state.named.min { $0.value < $1.value }
            if let first, state.unnamed.first.map({ first.value < $0 }) ?? true {
                state.named[first.key] = nil
            } else {
                state.remove(Self.unnamed)
            }
        }
    }

    /// Returns true if no call is expected any more.
    func isEmpty(now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { $0.named.values.allSatisfy { $0 <= now } && $0.unnamed.allSatisfy { $0 <= now } }
    }
}
