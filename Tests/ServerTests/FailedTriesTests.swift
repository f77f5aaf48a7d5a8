import Testing

@testable import CallreelServer

@Suite struct FailedTriesTests {
    private let tries = FailedTries(perMinute: 60)
    private let start = ContinuousClock.now

    /// Uses up the client's immediate tries, and returns their number.
    private func exhaust(_ client: String) -> Int {
        var count = 0
        while tries.turn(of: client, now: start) == .now, count < 1000 {
            tries.ended(.now, of: client, isRight: false, now: start)
            count += 1
        }
        return count
    }

    @Test func `tries over the limit wait, and those of another address do not`() {
        #expect(exhaust("192.0.2.1") == 10)
        // Each waits a second longer than the one before, of which the first was just seen.
        for seconds in 2...5 { #expect(tries.turn(of: "192.0.2.1", now: start) == .after(.seconds(seconds))) }
        #expect(tries.turn(of: "192.0.2.1", now: start) == .never)
        #expect(tries.turn(of: "192.0.2.2", now: start) == .now)
        // One /64 is one address.
        #expect(exhaust("2001:db8::1") == 10)
        #expect(tries.turn(of: "2001:db8::2", now: start) != .now)
        #expect(tries.turn(of: "2001:db8:0:1::2", now: start) == .now)
        // Failures expire.
        #expect(tries.turn(of: "192.0.2.1", now: start + .seconds(60)) == .now)
    }

    @Test func `right tries cost nothing`() {
        for _ in 0..<1000 {
            #expect(tries.turn(of: "192.0.2.1", now: start) == .now)
            tries.ended(.now, of: "192.0.2.1", isRight: true, now: start)
        }
        // Nor do right tries that had to wait because of others.
        _ = exhaust("192.0.2.2")
        for _ in 0..<1000 {
            let turn = tries.turn(of: "192.0.2.2", now: start)
            // A try that has not ended waits in front of it.
            #expect(turn == .after(.seconds(2)))
            tries.ended(turn, of: "192.0.2.2", isRight: true, now: start)
        }
    }

    @Test func `the answers to failures are held back for longer and longer, up to a bound`() {
        let waits = (0..<30).map { _ in tries.failed("192.0.2.1", now: start) }
        #expect(waits.prefix(10).allSatisfy { $0 == .zero } && waits.last == .seconds(5))
        #expect(zip(waits, waits.dropFirst()).allSatisfy { $0 <= $1 })
        // With this limit, each further failure is worth more than the bound.
        let few = FailedTries(perMinute: 7)
        #expect((0..<5).map { _ in few.failed("192.0.2.1", now: start) } == [0, 5, 5, 5, 5].map { .seconds($0) })
    }

    @Test func `many addresses take no more memory than some`() {
        for number in 0..<6000 {
            _ = tries.failed("10.\(number >> 16).\(number >> 8 & 255).\(number & 255)", now: start)
        }
        #expect(tries.count <= FailedTries.addressLimit)
    }
}
