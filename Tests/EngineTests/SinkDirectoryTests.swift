import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct SinkDirectoryTests {
    private func entry(_ directory: String, _ rest: String = "") -> String {
        #"{"directory": "\#(directory)"\#(rest)}"#
    }

    @Test func `a sink's files grow and appear in its own directory, and the manifest says where`() async throws {
        let elsewhere = try Workspace()
        let bench = try CallBench([(Probe(), entry(elsewhere.file("a/b"))), (Probe(), "{}")], template: "day/call")
        bench.receive(160)
        try await until("it has a file") { try elsewhere.files() == ["a/b/.partial/\(bench.session.id)/call.pcm"] }
        #expect(try bench.workspace.data(".partial/\(bench.session.id)/call.json").isEmpty == false)
        let recording = try await bench.end()
        #expect(recording.sinks[0].files.map(\.name) == ["day/call.pcm"])
        #expect(recording.sinks[0].files.map(\.directory) == [elsewhere.file("a/b")])
        #expect(recording.sinks[1].files.map(\.directory) == [nil])
        #expect(try elsewhere.files() == ["a/b/.partial", "a/b/day/call.pcm"])
        #expect(try bench.workspace.files() == [".partial", "day/call.json", "day/call.probe-2.pcm"])
        let result = Verification(directory: bench.workspace.path, registry: testRegistry).check(recording)
        #expect(result.problems.isEmpty && result.files == 2)
    }

    @Test func `the recordings directory by another name is the recordings directory`() throws {
        let workspace = try Workspace()
        try FileManager.default.createSymbolicLink(atPath: workspace.file("link"), withDestinationPath: workspace.path)
        let store = RecordingStore(directory: workspace.path, template: try NameTemplate("call"))
        #expect(store.root(nil) == nil)
        for path in [workspace.path, workspace.path + "/", workspace.file("link"), workspace.file("x/..")] {
            #expect(store.root(path) == nil)
        }
        #expect(store.root(workspace.file("x")) == workspace.file("x"))
    }

    @Test(arguments: [true, false])
    func `names that are taken in one directory give all files of the call a number`(isSinks: Bool) async throws {
        let elsewhere = try Workspace()
        let bench = try CallBench([(Probe(), entry(elsewhere.path)), (Probe(), "{}")])
        let (taken, place) = isSinks ? ("call.pcm", elsewhere) : ("call.probe-2.pcm", bench.workspace)
        try place.plant(taken, "another call")
        bench.receive(160)
        let recording = try await bench.end()
        #expect(recording.name == "call-2")
        #expect(recording.sinks.flatMap(\.files).map(\.name) == ["call-2.pcm", "call-2.probe-2.pcm"])
        #expect(try place.text(taken) == "another call")
        // A file that already had its name in the other directory does not keep it.
        #expect(try elsewhere.files() == [".partial", "call-2.pcm"] + (isSinks ? [taken] : []))
        #expect(
            try bench.workspace.files() == [".partial", "call-2.json", "call-2.probe-2.pcm"] + (isSinks ? [] : [taken]))
    }

    /// One sink's directory is full or broken at the very end. The other sinks are published, and its audio waits.
    @Test func `a directory that takes no names loses its own sink only, until it takes them`() async throws {
        let elsewhere = try Workspace()
        try elsewhere.plant("day", "in the way of a directory")
        let bench = try CallBench([(Probe(), entry(elsewhere.path)), (Probe(), "{}")], template: "day/call")
        bench.receive(160)
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.state) == [.failed, .complete])
        #expect(recording.sinks[0].lost == 160 && recording.sinks[0].files.isEmpty)
        #expect(recording.sinks[0].error?.contains(elsewhere.file("day")) == true)
        #expect(try elsewhere.files() == [".partial/\(recording.id)/call.pcm", "day"])
        #expect(try bench.workspace.files().contains("day/call.json"))

        // Only the program that has the call may try again.
        #expect(Recovery(store: bench.recorder.store, registry: testRegistry, logger: silentLogger).run().isEmpty)
        await bench.recorder.finishLast()
        #expect(try bench.recorder.store.manifest(named: "day/call").sinks[0].state == .failed)
        try FileManager.default.removeItem(atPath: elsewhere.file("day"))
        await bench.recorder.finishLast()
        let recovered = try bench.recorder.store.manifest(named: "day/call")
        expectClosedAccounts(recovered)
        #expect(recovered.sinks.map(\.state) == [.complete, .complete])
        #expect(recovered.sinks[0].files.map(\.frames) == [160])
        #expect(try elsewhere.files() == [".partial", "day/call.pcm"])
        #expect(Verification(directory: bench.workspace.path, registry: testRegistry).check(recovered).problems.isEmpty)
        #expect(try bench.workspace.files() == [".partial", "day/call.json", "day/call.probe-2.pcm"])
    }

    @Test func `an interrupted call is put together from all directories`() throws {
        let workspace = try Workspace(), elsewhere = try Workspace()
        let store = RecordingStore(directory: workspace.path, template: try NameTemplate("call"))
        try store.prepare()
        let id = RecordingID()
        do {
            let manifest = CallLedger(
                id: id, name: "call", call: CallFacts(carrier: "test"), format: .telephone,
                startedAt: Date(timeIntervalSince1970: 0),
                sinks: [
                    CallLedger.Sink(
                        type: "probe", name: "probe", state: .recording,
                        directories: [elsewhere.path, elsewhere.file("second")]),
                    CallLedger.Sink(type: "probe", name: "probe-2", state: .recording),
                ])
            _ = try store.begin(manifest)
        }
        try elsewhere.plant(".partial/\(id)/call.pcm", String(repeating: "ab", count: 100))
        try elsewhere.plant("second/.partial/\(id)/call.fallback.pcm", String(repeating: "cd", count: 50))
        try workspace.plant(
            ".partial/\(id)/call.probe-2.pcm", String(repeating: "ab", count: 100) + String(repeating: "cd", count: 50))
        let findings = Recovery(store: store, registry: testRegistry, logger: silentLogger).run()
        #expect(findings.map(\.problems) == [[]])
        let recording = try store.manifest(named: "call")
        expectClosedAccounts(recording)
        #expect(recording.framesReceived == 150)
        #expect(recording.sinks.map(\.written) == [150, 150])
        #expect(recording.sinks[0].files.map(\.name) == ["call.pcm", "call.fallback.pcm"])
        #expect(try elsewhere.files() == [".partial", "call.pcm", "second/.partial", "second/call.fallback.pcm"])
        #expect(try workspace.files() == [".partial", "call.json", "call.probe-2.pcm"])
    }

    @Test func `a directory that has gone keeps its sink's audio out of the recovered call, and is named`() throws {
        let workspace = try Workspace(), elsewhere = try Workspace()
        let store = RecordingStore(directory: workspace.path, template: try NameTemplate("call"))
        try store.prepare()
        let id = RecordingID()
        _ = try store.begin(
            CallLedger(
                id: id, name: "call", call: CallFacts(carrier: "test"), format: .telephone,
                startedAt: Date(timeIntervalSince1970: 0),
                sinks: [
                    CallLedger.Sink(
                        type: "probe", name: "probe", state: .recording, directories: [elsewhere.file("unmounted")])
                ]))
        let finding = try #require(Recovery(store: store, registry: testRegistry, logger: silentLogger).run().first)
        #expect(finding.problems.contains { $0.contains(elsewhere.file("unmounted")) })
        #expect(try workspace.files().contains(".partial/\(id)/call.json"))
    }
}

@Suite struct SinkPolicyTests {
    @Test(arguments: [true, false])
    func `a call ends when a required sink cannot open, and not for another`(isRequired: Bool) async throws {
        let workspace = try Workspace()
        try workspace.plant("file", "not a directory")
        let bench = try CallBench([
            (Probe(), #"{"directory": "\#(workspace.file("file"))", "required": \#(isRequired)}"#), (Probe(), "{}"),
        ])
        bench.receive(160)
        try await until("it has failed") { bench.log.values.contains("sink failed") && bench.state(0) == .failed }
        #expect(bench.recorder.stations[0].health.problem?.contains(workspace.file("file")) == true)
        if !isRequired { bench.session.end("over") }
        let recording = try await bench.published()
        let reason =
            "the required sink probe cannot be opened: \(workspace.file("file")) is not a directory: Not a directory"
        #expect(recording.endReason == (isRequired ? reason : "over"))
        #expect(recording.sinks.map(\.state) == [.failed, .complete])
        #expect(recording.sinks[1].written == recording.framesReceived)
    }

    @Test(arguments: ["continue", "stopCall"])
    func `a sink that fails in the middle ends its call only where it is told to`(policy: String) async throws {
        let bench = try CallBench([(Probe(), #"{"fails": "thirdWrite", "onError": "\#(policy)"}"#), (Probe(), "{}")])
        try await until("it has failed") {
            bench.receive(160)
            return bench.state(0) == .failed
        }
        if policy == "continue" { bench.session.end("over") }
        let recording = try await bench.published()
        #expect(
            recording.endReason
                == (policy == "continue"
                    ? "over" : "the sink probe failed: told to fail in thirdWrite: No space left on device"))
        #expect(recording.sinks[1].state == .complete && recording.sinks[1].written == recording.framesReceived)
        expectClosedAccounts(recording)
    }

    /// A sync needs the file by its name. Without a sync, a missing file is noticed only at the end.
    @Test(arguments: [0, 0.05])
    func `files are synced while the call runs when the operator wants it`(interval: Double) async throws {
        let probe = Probe()
        let bench = try CallBench([(probe, #"{"sync": \#(interval), "checkpoint": 0.1}"#)])
        bench.receive(160)
        try await until("the file is there") {
            try bench.workspace.files().contains(".partial/\(bench.session.id)/call.pcm")
        }
        try FileManager.default.removeItem(atPath: bench.workspace.file(".partial/\(bench.session.id)/call.pcm"))
        try await until("some checkpoints came") {
            bench.receive(1)
            bench.session.tick(now: .now)
            return bench.state(0) == .failed || probe.checkpoints >= 10
        }
        #expect((bench.state(0) == .failed) == (interval > 0))
        _ = try await bench.end()
    }
}
