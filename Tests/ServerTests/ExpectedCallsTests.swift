import Testing

@testable import CallreelServer

@Suite struct ExpectedCallsTests {
    @Test func `calls without a uuid are expected one by one`() {
        let calls = ExpectedCalls()
        for uuid in [nil, "", nil, "a", "a"] { calls.add(uuid, lifetime: 60) }
        calls.remove("a")
        for _ in 0..<2 { calls.remove(nil as String?) }
        #expect(!calls.isEmpty())
        calls.remove(nil as String?)
        #expect(calls.isEmpty())
        calls.remove(nil as String?)
        #expect(calls.isEmpty())
    }

    @Test func `without tokens, the call that is expected for longest has come`() {
        let calls = ExpectedCalls(), now = ContinuousClock.now
        calls.add("b", lifetime: 60, now: now + .seconds(1))
        calls.add(nil, lifetime: 60, now: now)
        calls.remove(nil as CallToken?)
        #expect(calls.isEmpty(now: now + .seconds(61)) && !calls.isEmpty(now: now + .seconds(60.5)))
    }
}
