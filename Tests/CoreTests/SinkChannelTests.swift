import Testing

@testable import CallreelCore

/// The channels of a sink's audio, and the legs on them.
@Suite struct SinkChannelTests {
    private func channels(_ legs: [String]?, _ count: Int) -> [SinkChannel] {
        var call = CallFacts(carrier: "test", from: "100", to: "200")
        call.legs = legs
        return SinkChannel.all(of: call, count: count)
    }

    @Test func `a sink knows the leg and the party on each channel, also of a mixed or doubled call`() {
        let caller = SinkChannel(leg: "caller", party: "100"), callee = SinkChannel(leg: "callee", party: "200")
        #expect(channels(["caller", "callee"], 2) == [caller, callee])
        #expect(channels(["callee", "agent"], 2) == [callee, SinkChannel(leg: "agent")])
        #expect(channels(["caller", "callee"], 1) == [SinkChannel(leg: "mix")])
        #expect(channels(["caller"], 2) == [caller, caller])
        #expect(channels(["caller"], 1) == [caller])
        #expect(channels(nil, 1) == [SinkChannel(leg: "mix")])
        #expect(channels(nil, 2) == [SinkChannel(leg: "unknown"), SinkChannel(leg: "unknown")])
        #expect(channels([], 2).count == 2)
    }
}
