import NIOCore
import Synchronization

/// Slows down clients with repeated wrong passwords, tokens or signatures.
///
/// Each address may fail a few times at once, and then at a fixed rate. Further tries wait.
/// Memory is bounded: if too many addresses fail, some are forgotten early.
final class FailedTries: Sendable {
    /// The largest number of addresses kept at once.
    static let addressLimit = 4096
    /// A decision about one try.
    enum Turn: Hashable, Sendable {
        /// The try is checked now.
        case now
        /// The try is checked after this time.
        case after(Duration)
        /// Too many tries are waiting already. This one is not checked.
        case never
    }

    private struct Address {
        /// Failures not yet forgiven with time, and waiting tries.
        var count = 0.0
        var seen: ContinuousClock.Instant
    }

    /// The longest delay of a try or of its answer, in seconds.
    let longestWait: Double
    private let perSecond: Double
    private let burst: Double
    private struct State {
        var addresses: [[UInt8]: Address] = [:]
        /// The time of the last search for forgiven addresses.
        var swept: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// Makes a limit.
    /// - Parameters:
    ///   - perMinute: failures per minute from one address; ten seconds' worth may come at once.
    ///   - longestWait: the longest delay of a try, in seconds.
    init(perMinute: Int, longestWait: Double = 5) {
        self.longestWait = longestWait
        perSecond = Double(perMinute) / 60
        burst = max(1, Double(perMinute) / 6)
    }

    /// The number of kept addresses.
    var count: Int { state.withLock { $0.addresses.count } }

    /// Decides about a try before it is checked.
    func turn(of client: String, now: ContinuousClock.Instant = .now) -> Turn {
        change(client, now) { address in
            guard address.count >= burst else { return .now }
            let wait = (address.count - burst + 1) / perSecond
            guard wait <= longestWait else { return .never }
            address.count += 1
            return .after(.seconds(wait))
        }
    }

    /// Records the result of a checked try.
    func ended(_ turn: Turn, of client: String, isRight: Bool, now: ContinuousClock.Instant = .now) {
        change(client, now) { address in
            switch turn {
            case .now: if !isRight { address.count += 1 }
            case .after: if isRight { address.count = max(0, address.count - 1) }
            case .never: break
            }
        }
    }

    /// Records a failure and returns the delay for its answer. Used for requests whose valid tries must never wait.
    func failed(_ client: String, now: ContinuousClock.Instant = .now) -> Duration {
        change(client, now) { address in
            let wait = min(longestWait, max(0, (address.count - burst + 1) / perSecond))
            if wait < longestWait { address.count += 1 }
            return .seconds(wait)
        }
    }

    private func change<Result>(_ client: String, _ now: ContinuousClock.Instant, _ body: (inout Address) -> Result)
        -> Result
    {
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

    /// Removes the forgiven addresses. That visits all of them, so it runs at most once a second.
    /// If none is forgiven, removes an arbitrary one.
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
