import Foundation
import Synchronization
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// Ranges of the timeline missing from a sink, in the manifest of the running call and in the final one.
@Suite struct AccountTests {
    @Test func `a running call's manifest has the ranges and where each file begins`() async throws {
        let bench = try CallBench([(Probe(), #"{"partLength": 1}"#), (Probe(), #"{"onPause": "skip"}"#)])
        bench.receive(10_000)
        bench.session.pause(true)
        bench.receive(3000)
        bench.session.pause(false)
        bench.receive(1000)
        try await until("the manifest on disk has both") {
            bench.session.tick(now: farFuture)
            guard let manifest = try? bench.partialLedger() else { return false }
            return manifest.sinks[0].files.count == 2 && manifest.sinks[1].files.count == 2
                && manifest.sinks[0].ranges?.masked != nil
        }
        let manifest = try bench.partialLedger()
        #expect(manifest.sinks[0].ranges?.masked?.ranges == [10_000..<13_000])
        #expect(manifest.sinks[1].ranges?.skipped?.ranges == [10_000..<13_000])
        #expect(manifest.sinks[0].files.map(\.start?.frames) == [0, 8000])
        #expect(manifest.sinks[1].files.map(\.start?.frames) == [0, 13_000])
        var now = farFuture
        try await until("a checkpoint says how much is written") {
            bench.receive(1)
            now += .seconds(10)
            bench.session.tick(now: now)
            bench.session.saves.demand()
            return try bench.partialLedger().sinks.allSatisfy { $0.written > 11_000 }
        }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.sinks[0].files.map(\.start?.frames) == [0, 8000])
        #expect(recording.sinks[1].ranges?.skipped?.ranges == [10_000..<13_000])
    }

    @Test(.timeLimit(.minutes(1))) func `lists that touch are one, and a list of thousands takes no time`() {
        var account = SinkAccount()
        for second in 0..<100_000 {
            account.note(.silence, second * 10..<second * 10 + 3)
            account.note(.silence, second * 10 + 3..<second * 10 + 5)
            account.note(.skipped, second * 10 + 8..<second * 10 + 10)
            account.keep(second * 10..<second * 10 + 8)
        }
        let tally = account.tally(received: 1_000_010)
        #expect(tally.ranges.silence?.ranges.count == 100_000)
        #expect(tally.written == 300_000)
        #expect(tally.ranges.lost?.ranges == [1_000_000..<1_000_010])
    }

    @Test func `a stretch that is in no file counts once, whatever it was`() {
        var account = SinkAccount()
        account.keep(0..<100)
        account.note(.silence, 50..<150)
        account.note(.masked, 90..<200)
        account.note(.skipped, 80..<120)
        let tally = account.tally(received: 300)
        var sink = CallLedger.Sink(type: "t", name: "t", state: .ended(.complete))
        sink.take(tally)
        #expect(sink.accounted == 300)
        #expect(
            sink.written == 50 && sink.silence == 50 && sink.masked == nil && sink.skipped == 20 && sink.lost == 180)
        #expect(account.tally(received: 60).ranges.silence?.ranges == [50..<60])
        #expect(account.tally(received: -1).written == 0)
    }

    /// A part cannot be opened in the middle of a chunk under conversion.
    @Test(arguments: [#""sampleRate": 16000"#, #""channels": 2"#, #""partSize": null"#], [0, 3000])
    func `a next part that cannot open ends nothing but itself`(shape: String, lead: Int) async throws {
        let entry = #"{\#(shape), "partLength": 1, "failsAtOpen": 2, "retry": 0.01}"#
        let bench = try CallBench([(Probe(), entry), (Probe(), "{}")], registry: .doubling)
        if lead > 0 { bench.receive(lead) }
        bench.receive(29_000)
        try await until("it has failed") { bench.log.values.contains { $0.hasPrefix("sink failed") } }
        try await until("it is back") { bench.session.sinks[0].account.tally.written > 20_000 }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.state) == [.complete, .complete])
        #expect(recording.sinks[0].written == 29_000 + lead)
        #expect(recording.sinks[0].error?.contains("told to fail at opening 2") == true)
    }

    @Test(arguments: [#""sampleRate": 16000"#, #""channels": 2"#, #""partSize": null"#])
    func `a next part that can never open is a loss of a known length`(shape: String) async throws {
        let bench = try CallBench(
            [(Probe(), #"{\#(shape), "partLength": 1, "failsAtOpen": 2}"#), (Probe(), "{}")], registry: .doubling)
        bench.receive(29_000)
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.state) == [.failed, .complete])
        #expect(recording.sinks[0].written == 8000 && recording.sinks[0].ranges?.lost?.ranges == [8000..<29_000])
    }
}
