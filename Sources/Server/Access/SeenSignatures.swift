import Crypto
import Foundation
import Synchronization

/// The signatures that came before, so that one that was overheard is not good again.
///
/// Each signed request of Vonage has its own `jti`. It is remembered until the signature's time is over, together with what was asked.
/// The number of remembered ones is limited: beyond it the oldest is forgotten, which would have expired first. A restart forgets all.
final class SeenSignatures: Sendable {
    /// What is known of a signature.
    enum Sight: Hashable, Sendable {
        /// It comes for the first time.
        case new
        /// It came before with the very same request: the carrier, or somebody else, sends that again.
        case repeated
        /// It came before with another request.
        case misused
    }

    /// Signatures that are remembered at once: 400 a second for five minutes.
    static let limit = 1 << 17

    /// The beginning of a SHA-256.
    private struct Digest: Hashable, Sendable {
        let high: UInt64, low: UInt64

        init(_ bytes: some DataProtocol) {
            let parts = SHA256.hash(data: bytes).prefix(16).reduce(into: (UInt64(0), UInt64(0), 0)) { parts, byte in
                if parts.2 < 8 { parts.0 = parts.0 << 8 | UInt64(byte) } else { parts.1 = parts.1 << 8 | UInt64(byte) }
                parts.2 += 1
            }
            (high, low) = (parts.0, parts.1)
        }
    }

    private struct State {
        var requests: [Digest: Digest] = [:]
        /// The remembered ones, oldest first, with the second in which each is over; those before `first` are forgotten.
        var order: [(id: Digest, end: Double)] = []
        var first = 0

        mutating func forgetOldest() {
            requests[order[first].id] = nil
            first += 1
            guard first > 1024, first * 2 > order.count else { return }
            order.removeFirst(first)
            first = 0
        }
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int = SeenSignatures.limit) { self.limit = limit }

    /// Notes a signature that was found right, and says whether it came before.
    /// - Parameters:
    ///   - id: its `jti`.
    ///   - request: what was asked, all of it.
    ///   - end: when it is not taken any more.
    func note(_ id: some DataProtocol, request: some DataProtocol, until end: Date, now: Date) -> Sight {
        let id = Digest(id), request = Digest(request)
        let second = now.timeIntervalSince1970
        return state.withLock { state in
            while state.first < state.order.count, state.order[state.first].end < second { state.forgetOldest() }
            if let known = state.requests[id] { return known == request ? .repeated : .misused }
            if state.requests.count >= limit { state.forgetOldest() }
            state.requests[id] = request
            state.order.append((id, end.timeIntervalSince1970))
            return .new
        }
    }
}
