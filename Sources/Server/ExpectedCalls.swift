import Foundation
import Synchronization

/// Calls that were answered and whose audio has not come yet, while callers hear the greeting.
///
/// The server's end waits for them. They are kept for as long as their tokens are good, and only so many of them.
final class ExpectedCalls: Sendable {
    /// Calls that are kept at once.
    static let limit = 10_000

    private struct State {
        /// When each call with a uuid is given up, by the digest of its uuid. A carrier that asks again about a call means the same one.
        var named: [[UInt8]: ContinuousClock.Instant] = [:]
        /// When each call without one is given up, the earliest first.
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

    private let lifetime: Duration
    private let state = Mutex(State())

    /// Makes an empty list.
    /// - Parameter lifetime: seconds for which a call is expected.
    init(lifetime: Int) { self.lifetime = .seconds(lifetime) }

    /// Notes that a call was answered.
    func add(_ uuid: String?, now: ContinuousClock.Instant = .now) {
        let key = CallToken.digest(of: uuid)
        state.withLock { state in
            if state.count >= Self.limit { state.forget(before: now) }
            guard state.count < Self.limit else { return }
            if key == Self.unnamed { state.unnamed.append(now + lifetime) } else { state.named[key] = now + lifetime }
        }
    }

    /// Notes that a call has come, or that it will not come.
    func remove(_ uuid: String?) { state.withLock { $0.remove(CallToken.digest(of: uuid)) } }

    /// Notes that the call of a token has come, or, where calls have no tokens, one of them.
    func remove(_ token: CallToken?) {
        state.withLock { state in
            if let token { return state.remove(token.call) }
            let first = state.named.min { $0.value < $1.value }
            if let first, state.unnamed.first.map({ first.value < $0 }) ?? true { state.named[first.key] = nil } else { state.remove(Self.unnamed) }
        }
    }

    /// Whether no call is expected any more.
    func isEmpty(now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { $0.named.values.allSatisfy { $0 <= now } && $0.unnamed.allSatisfy { $0 <= now } }
    }
}
