import CallreelCore
import Crypto
import Foundation
import Synchronization

/// The carriers' proofs already used, such as signatures, so that an overheard one cannot be used again.
///
/// Each proof has its own identifier. Callreel keeps it, with the request, until the proof ends.
/// The number of kept proofs is limited. Beyond the limit the oldest, which would expire first, is forgotten.
/// A restart forgets all.
final class SeenProofs: Sendable {
    /// The result of looking up a proof.
    enum Sight: Hashable, Sendable {
        /// The proof is new.
        case new
        /// The proof came before with the same request. The carrier, or an attacker, has repeated the request.
        case repeated
        /// The proof came before with another request.
        case misused
    }

    /// The largest number of kept proofs: 400 a second for five minutes.
    static let limit = 1 << 17

    /// The first 16 bytes of a SHA-256.
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
        /// The kept proofs, oldest first, with their expiry in seconds since 1970.
        /// Entries before `first` are forgotten.
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

    init(limit: Int = SeenProofs.limit) { self.limit = limit }

    /// Records the use of a valid proof, and returns whether it came before. Nil stands for a request without a proof
    /// that may be used only once: it is always new.
    func use(_ proof: OneTimeProof?, for request: some DataProtocol, now: Date = Date()) -> Sight {
        guard let proof else { return .new }
        return note(Array(proof.identifier.utf8), request: request, until: proof.end, now: now)
    }

    /// Records a valid proof, and returns whether it came before.
    /// - Parameters:
    ///   - id: the proof's identifier.
    ///   - request: the whole request.
    ///   - end: the proof's expiry time.
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
