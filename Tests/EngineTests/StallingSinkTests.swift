import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct StallingSinkTests {
    @Test func `a full sink holds the call back until it is half empty, and nothing is lost`() async throws {
        let slow = Probe()
        let bench = try CallBench([(slow, #"{"buffer": 0.5, "blocks": "write"}"#), (Probe(), "{}")])
        bench.receive(100)
        try await until("the sink is held") { slow.isBlocked }
        #expect(bench.receive(3999))
        #expect(!bench.receive(1))
        #expect(bench.announcements.count == 0)
        slow.gate.open()
        try await until("room is announced") { bench.announcements.count == 1 }
        #expect(bench.receive(1000))
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.written) == [5100, 5100])
        #expect(recording.sinks.map(\.silence) == [0, 0])
        #expect(slow.samples == ramp(0..<5100))
    }

    @Test func `a stalled sink that comes back has silence of the missing length at the missing place`() async throws {
        let slow = Probe(), quick = Probe()
        let bench = try CallBench([(slow, #"{"buffer": 0.5, "blocks": "write"}"#), (quick, "{}")])
        bench.receive(100)
        try await until("the sink is held") { slow.isBlocked }
        #expect(!bench.receive(4000))
        bench.session.tick(now: .now)
        #expect(bench.state(0) == .recording)
        bench.session.tick(now: .now + .seconds(2))
        #expect(bench.state(0) == .lagging && bench.state(1) == .recording)
        bench.session.tick(now: farFuture)
        #expect(bench.state(0) == .stalled)
        #expect(bench.announcements.count == 1)
        for _ in 0..<100 { #expect(bench.receive(320), "a stalled sink holds up nobody") }
        try await until("the quick one has everything") { quick.samples.count == 36100 }
        slow.gate.open()
        try await until("the sink is back") { bench.state(0) == .recording }
        bench.receive(700)
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.state) == [.complete, .complete])
        #expect(recording.sinks[0].written == 4800)
        #expect(recording.sinks[0].silence == 32000)
        #expect(recording.sinks[0].ranges?.silence?.ranges == [4100..<36100])
        #expect(recording.sinks[0].stalls == 1 && recording.sinks[0].heldSeconds ?? 0 > 0)
        #expect(recording.sinks[1].ranges == SinkRanges() && recording.sinks[1].stalls == nil)
        #expect(recording.sinks[1].written == 36800)
        let expected = ramp(0..<4100) + [Int16](repeating: 0, count: 32000) + ramp(36100..<36800)
        #expect(try bench.samples(recording.sinks[0].files[0]) == expected)
        #expect(try bench.samples(recording.sinks[1].files[0]) == ramp(0..<36800))
        #expect(slow.isInOrder)
        #expect(bench.log.values.contains("sink stalled: dropping its audio until it recovers"))
        bench.session.tick(now: farFuture)
        #expect(bench.log.values.contains("sink recovered"))
    }

    @Test(arguments: [Moment.open, .write, .finish])
    func `a sink that never comes to its end is published as stalled, and the others are complete`(moment: Moment)
        async throws
    {
        let stuck = Probe(), good = Probe()
        let bench = try CallBench([
            (good, "{}"), (stuck, #"{"name": "stuck", "finishLimit": 1, "blocks": "\#(moment)"}"#),
        ])
        for _ in 0..<10 { bench.receive(160) }
        bench.session.end("over")
        try await until("the sink is held, and the other one done") { stuck.isBlocked && bench.state(0) == .complete }
        bench.session.tick(now: .now)
        bench.session.tick(now: farFuture)
        let recording = try await bench.published()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.state) == [.complete, .stalled])
        #expect(recording.sinks[1].lost == 1600)
        #expect(recording.sinks[1].error?.contains("did not finish in time") == true)
        #expect(try bench.samples(recording.sinks[0].files[0]) == ramp(0..<1600))
        // Its file stays in place, because the sink may still write there. The published file has no other name.
        #expect(recording.sinks[1].files.isEmpty)
        let place = ".partial/\(recording.id)"
        #expect(
            try bench.workspace.files().filter { $0.hasPrefix(place) } == [
                "\(place)/call.json", "\(place)/call.stuck.pcm",
            ])
        // While the sink may write, its call is locked against repairs.
        #expect(try DirectoryLock(existing: bench.workspace.file(place)) == nil)
        let keeper = Task { await bench.recorder.finishWaiting() }
        defer { keeper.cancel() }
        let published = try bench.workspace.data("call.json")
        #expect(try Recording(json: published).sinks[1].state == .stalled)

        stuck.gate.open()
        try await until("its file is named by the manifest, and nothing is left behind") {
            try bench.recorder.store.manifest(named: "call").sinks[1].state != .stalled && bench.recorder.isIdle
        }
        let late = try bench.recorder.store.manifest(named: "call")
        expectClosedAccounts(late)
        #expect(late.sinks.map(\.state) == [.complete, .complete])
        #expect(late.sinks[1].error == nil && late.sinks[1].lost == 0)
        #expect(try bench.samples(late.sinks[1].files[0]) == ramp(0..<1600))
        #expect(Verification(directory: bench.workspace.path, registry: testRegistry).check(late).problems.isEmpty)
        #expect(try bench.workspace.files() == [".partial", "call.json", "call.pcm", "call.stuck.pcm"])
    }

    @Test func `a recording that is deleted while a sink of it hangs does not come back`() async throws {
        let stuck = Probe()
        let bench = try CallBench([
            (Probe(), "{}"), (stuck, #"{"name": "stuck", "finishLimit": 1, "blocks": "write"}"#),
        ])
        bench.receive(160)
        bench.session.end("over")
        try await until("the sink is held, and the other one done") { stuck.isBlocked && bench.state(0) == .complete }
        bench.session.tick(now: .now)
        bench.session.tick(now: farFuture)
        let recording = try await bench.published()
        for name in ["call.json", "call.pcm"] { try FileManager.default.removeItem(atPath: bench.workspace.file(name)) }
        let interim = try CallLedger(json: try bench.workspace.data(".partial/\(recording.id)/call.json"))
        #expect(interim.publishedAs == "call")
        stuck.gate.open()
        try await until("the sink is gone") { stuck.isGone }
        let keeper = Task { await bench.recorder.finishWaiting() }
        defer { keeper.cancel() }
        try await until("it is given up") {
            bench.log.values.contains("late files of a deleted recording left in place")
        }
        #expect(try bench.workspace.files().filter { !$0.hasPrefix(".partial") }.isEmpty)
    }

    @Test func `a sink that was given up, and came to its end before the others did, is complete`() async throws {
        let first = Probe(), second = Probe()
        let bench = try CallBench([
            (first, #"{"finishLimit": 1, "stallLimit": 0.1, "blocks": "finish"}"#),
            (second, #"{"finishLimit": 3600, "blocks": "finish"}"#),
        ])
        bench.receive(160)
        bench.session.end("over")
        try await until("both are held") { first.isBlocked && second.isBlocked }
        bench.session.tick(now: .now + .seconds(600))
        first.gate.open()
        try await until("the first has reported") { bench.state(0) == .complete }
        second.gate.open()
        let recording = try await bench.published()
        #expect(recording.sinks.map(\.state) == [.complete, .complete])
        #expect(try bench.workspace.files() == [".partial", "call.json", "call.pcm", "call.probe-2.pcm"])
    }

    @Test func `sinks that block for ever in one call do not hold up the next one, nor other sinks`() async throws {
        let stuck = Probe(), free = Probe()
        let bench = try CallBench([(stuck, #"{"blocks": "write"}"#), (free, "{}")])
        let calls = (0..<8).map { _ in bench.recorder.startCall(CallFacts(carrier: "test"), format: .telephone) }
        let more = calls.map(\.session), recordings = calls.map(\.result)
        for session in more { #expect(session.receive(ramp(0..<160))) }
        bench.receive(160)
        try await until("nine threads are stuck, and the other sink has everything") {
            for station in bench.recorder.stations { station.threads.relieve() }
            return stuck.gate.waiting == 9 && free.samples.count == 9 * 160
        }
        stuck.gate.open()
        for session in more { session.end("over") }
        for recording in recordings { expectClosedAccounts(try await recording.value.get()) }
        expectClosedAccounts(try await bench.end())
    }

    @Test func `sinks that wait for the disk at their end hold up no call that goes on`() async throws {
        let probe = Probe()
        let bench = try CallBench([(probe, #"{"blocks": "finish"}"#)])
        let count = BlockingExecutor.coreCount
        let calls = (0..<count).map { _ in bench.recorder.startCall(CallFacts(carrier: "test"), format: .telephone) }
        let over = calls.map(\.session), recordings = calls.map(\.result)
        for session in over { session.end("over") }
        try await until("as many are being closed as there are threads") { probe.gate.waiting == count }
        // The test does not relieve the threads. The call is on one of them, and does not wait behind blocked sinks.
        bench.receive(160)
        try await until("the call is written") { probe.samples.count == 160 }
        probe.gate.open()
        for recording in recordings { expectClosedAccounts(try await recording.value.get()) }
        expectClosedAccounts(try await bench.end())
    }

    @Test func `a long gap is written in pieces of a second`() async throws {
        let probe = Probe()
        let bench = QueueBench()
        _ = bench.push(4000)
        _ = bench.queue.tick(now: farFuture)
        _ = bench.push(20_000)
        bench.queue.close("the caller hung up")
        let workspace = try Workspace()
        var options = ProbeOptions()
        options.probe = probe.name
        let job = SinkJob(places: [workspace.place()], queue: bench.queue)
        let report = await SinkService<ProbeSink>.run(options, job)
        #expect(report.written == 4000)
        #expect(report.silence == 20_000)
        #expect(report.files.map(\.frames) == [24_000])
        #expect(probe.starts.map(\.frames) == [0, 4000, 12_000, 20_000])
    }
}
