import NIOCore
import Synchronization

/// Slows down a client that sends one wrong password, token or signature after the other.
///
/// Each address may fail some times at once, and then so many times a minute. Further tries wait for their turn. Memory is bounded: of many
/// addresses some are forgotten early.
final class FailedTries: Sendable {
    /// Addresses that are remembered at once.
    static let addressLimit = 4096
    /// A try's place among those of its address.
    enum Turn: Hashable, Sendable {
        /// The try is looked at now.
        case now
        /// The try is looked at after some time.
        case after(Duration)
        /// As many tries wait as may. This one is not looked at.
        case never
    }

    private struct Address {
        /// Failures that time has not yet forgiven, and waiting tries.
        var count = 0.0
        var seen: ContinuousClock.Instant
    }

    /// Seconds that a try, or its answer, waits at most.
    let longestWait: Double
    private let perSecond: Double
    private let burst: Double
    private struct State {
        var addresses: [[UInt8]: Address] = [:]
        /// When forgiven addresses were last looked for.
        var swept: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// Makes a limit.
    /// - Parameters:
    ///   - perMinute: failures in a minute from one address; those of ten seconds may come at once.
    ///   - longestWait: seconds that a try waits at most.
    init(perMinute: Int, longestWait: Double = 5) {
        self.longestWait = longestWait
        perSecond = Double(perMinute) / 60
        burst = max(1, Double(perMinute) / 6)
    }

    /// Addresses that are remembered.
    var count: Int { state.withLock { $0.addresses.count } }

    /// Gives a try its turn, before it is looked at.
    func turn(of client: String, now: ContinuousClock.Instant = .now) -> Turn {
        change(client, now) { address in
            guard address.count >= burst else { return .now }
            let wait = (address.count - burst + 1) / perSecond
            guard wait <= longestWait else { return .never }
            address.count += 1
            return .after(.seconds(wait))
        }
    }

    /// Notes how a try ended that had a turn.
    func ended(_ turn: Turn, of client: String, isRight: Bool, now: ContinuousClock.Instant = .now) {
        change(client, now) { address in
            switch turn {
            case .now: if !isRight { address.count += 1 }
            case .after: if isRight { address.count = max(0, address.count - 1) }
            case .never: break
            }
        }
    }

    /// Notes a failure and says how long its answer is to be held back. Used where a right try must never wait.
    func failed(_ client: String, now: ContinuousClock.Instant = .now) -> Duration {
        change(client, now) { address in
            let wait = min(longestWait, max(0, (address.count - burst + 1) / perSecond))
            if wait < longestWait { address.count += 1 }
            return .seconds(wait)
        }
    }

    private func change<Result>(_ client: String, _ now: ContinuousClock.Instant, _ body: (inout Address) -> Result) -> Result {
        let key = ConnectionCensus.key(of: try? SocketAddress(ipAddress: client, port: 0))
        return state.withLock { state in
            if state.addresses[key] == nil, state.addresses.count >= Self.addressLimit { makeRoom(in: &state, now) }
            var address = state.addresses[key] ?? Address(seen: now)
            address.count = forgiven(address, now)
            address.seen = now
            let result = body(&address)
            state.addresses[key] = address.count > 0 ? address : nil
            return result
        }
    }

    /// Forgets the addresses that are forgiven, at most once a second, since all are looked at; or else any one.
    private func makeRoom(in state: inout State, _ now: ContinuousClock.Instant) {
        if state.swept.map({ now - $0 >= .seconds(1) }) ?? true {
            state.swept = now
            state.addresses = state.addresses.filter { forgiven($0.value, now) > 0 }
        }
        if state.addresses.count >= Self.addressLimit { state.addresses.remove(at: state.addresses.startIndex) }
    }

    private func forgiven(_ address: Address, _ now: ContinuousClock.Instant) -> Double {
        max(0, address.count - (now - address.seen) / .seconds(1) * perSecond)
    }
}
