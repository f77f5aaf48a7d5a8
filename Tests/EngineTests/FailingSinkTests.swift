import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct FailingSinkTests {
    @Test(arguments: [
        (Moment.open, 0), (.write, 0), (.thirdWrite, 320), (.finish, 1600),
    ])
    func `a sink that fails is reported, and the others are complete`(moment: Moment, written: Int) async throws {
        let good = Probe(), bad = Probe(), alsoGood = Probe()
        let bench = try CallBench([(good, "{}"), (bad, #"{"name": "bad", "fails": "\#(moment)"}"#), (alsoGood, "{}")])
        for _ in 0..<10 { #expect(bench.receive(160)) }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.state) == [.complete, .failed, .complete])
        #expect(recording.sinks[1].error == "told to fail in \(moment): No space left on device")
        #expect(recording.sinks[1].blame == .destination)
        #expect(recording.sinks[1].written == written)
        #expect(recording.sinks[1].lost == 1600 - written)
        for probe in [good, alsoGood] { #expect(probe.samples == ramp(0..<1600)) }
        // A failed sink's file is published like any other, unless it is empty.
        #expect(recording.sinks[1].files.map(\.frames) == (written == 0 ? [] : [written]))
        for file in recording.sinks[1].files {
            #expect(try bench.samples(file) == ramp(0..<written))
            #expect(file.bytes == written * 2)
        }
        #expect(bad.isGone || moment == .open)
        #expect(bench.log.values.contains("sink failed"))
        #expect(try bench.workspace.files().filter { $0.hasPrefix(".partial/") }.isEmpty)
    }

    @Test func `a file of a failed sink that cannot be repaired is put aside, and the recording goes without it`()
        async throws
    {
        let bad = Probe()
        let bench = try CallBench([(Probe(), "{}"), (bad, #"{"name": "bad", "fails": "thirdWrite"}"#)])
        let samples = [Int16](repeating: 0x1234, count: 160)
        for _ in 0..<10 { _ = bench.session.receive(samples) }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(
            recording.sinks[1].state == .failed && recording.sinks[1].files.isEmpty && recording.sinks[1].lost == 1600)
        #expect(Verification(directory: bench.workspace.path, registry: testRegistry).check(recording).problems.isEmpty)
        let aside = try bench.workspace.files().filter { $0.hasPrefix(".callreel/unrepaired/") }
        #expect(aside.count == 1 && aside[0].hasSuffix(".pcm"), "\(aside)")
        #expect(try bench.workspace.files().filter { $0.hasPrefix(".partial/") }.isEmpty)
    }

    @Test func `a sink that fails in a checkpoint is reported`() async throws {
        let good = Probe(), bad = Probe()
        let bench = try CallBench([(good, "{}"), (bad, #"{"fails": "checkpoint"}"#)])
        try await until("the checkpoint comes") {
            bench.receive(160)
            bench.session.tick(now: farFuture)
            return bench.state(1) == .failed
        }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.state) == [.complete, .failed])
        #expect(recording.sinks[1].error?.contains("checkpoint") == true)
        #expect(good.samples.count == recording.framesReceived)
    }

    @Test func `a sink that fails when it is full frees the call`() async throws {
        let bad = Probe()
        let bench = try CallBench([(bad, #"{"buffer": 0.5, "blocks": "write", "fails": "write"}"#)])
        #expect(bench.receive(160))
        try await until("the sink is held") { bad.isBlocked }
        #expect(!bench.receive(4000))
        bad.gate.open()
        try await until("room is announced") { bench.announcements.count == 1 }
        #expect(bench.receive(4000))
        let recording = try await bench.end()
        #expect(recording.sinks[0].state == .failed)
        #expect(recording.sinks[0].lost == 8160)
    }

    @Test func `a call that cannot be recorded says so, and holds nobody up`() async throws {
        let workspace = try Workspace()
        try workspace.plant("recordings", "not a directory")
        var problems: [ConfigurationProblem] = []
        let plans = SinkPlan.read(
            try .parse(#"[{"type": "probe", "buffer": 0.5}]"#), at: .root, registry: testRegistry, problems: &problems)
        let store = RecordingStore(directory: workspace.file("recordings"), template: try NameTemplate("call"))
        let recorder = Recorder(
            store: store, settings: RecorderSettings(sinks: plans), registry: testRegistry, catalogue: RecordingIndex(),
            logger: silentLogger)
        await #expect(throws: DiskError.self) { try await recorder.prepare() }
        let announcements = Collected<Void>()
        let call = recorder.startCall(CallFacts(carrier: "test"), format: .telephone) { announcements.append(()) }
        let session = call.session
        _ = session.receive(ramp(0..<8000))
        guard case .failure(let error) = await call.result.value else {
            return #expect(Bool(false), "it cannot be recorded")
        }
        #expect(error.description.contains(workspace.file("recordings")))
        // The session tells a waiting caller to go on.
        #expect(announcements.count == 1)
        #expect(session.receive(ramp(0..<8000)))
        #expect(recorder.liveCalls.isEmpty)
        #expect(recorder.index.count == 0)
    }

    /// The recorder retries publishing after a moment. Events in between belong to the recording.
    @Test func `a disk that refuses once delays the recording, and an event in between is not lost`() async throws {
        let probe = Probe()
        let bench = try CallBench([(probe, #"{"obstructs": true}"#)])
        bench.receive(160)
        bench.session.end("over")
        try await until("publishing failed") { bench.log.values.contains("publishing failed") }
        await bench.recorder.note("completed", data: ["status": "completed"], of: CallFacts(carrier: "test", uuid: "U"))
        try FileManager.default.removeItem(
            atPath: try #require(probe.contexts.first).directory + "/call.json.final.new")
        let recording = try await bench.published()
        #expect(recording.sinks[0].state == .complete)
        #expect(try bench.samples(recording.sinks[0].files[0]) == ramp(0..<160))
        try await until("the event is kept") {
            try bench.recorder.store.manifest(named: "call").events.map(\.type) == ["completed"]
        }
    }

    /// After a failed sync, the next one may report success without having the data. So there is only one.
    @Test func `a file that cannot be sealed fails its own sink, and the others are published`() async throws {
        let bad = Probe(), good = Probe()
        let bench = try CallBench([(bad, #"{"removesItsFile": true}"#), (good, #"{"name": "good"}"#)])
        bench.receive(160)
        let recording = try await bench.end()
        #expect(recording.sinks.map(\.state) == [.failed, .complete])
        #expect(recording.sinks[0].files.isEmpty)
        #expect(recording.sinks[0].error?.contains("call.pcm") == true)
        #expect(try bench.samples(recording.sinks[1].files[0]) == ramp(0..<160))
        // The failed sink's file stays for the operator to examine.
        #expect(try bench.workspace.files().contains(".partial/\(recording.id)/call.pcm.away"))
    }
}
