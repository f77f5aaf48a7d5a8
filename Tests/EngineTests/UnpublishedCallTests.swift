import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct UnpublishedCallTests {
    /// Makes a call that cannot be published, because a file is in the place of its day's directory.
    private func failedCall() async throws -> CallBench {
        let bench = try CallBench([(Probe(), "{}"), (Probe(), "{}")], template: "day/call")
        try bench.workspace.plant("day", "in the way")
        bench.receive(160)
        bench.session.note("dtmf", data: ["digit": "7"])
        bench.receive(160)
        bench.session.end("the carrier closed the call")
        guard case .failure(let error) = await bench.result() else { throw DiskError("it was published") }
        #expect(error.description.contains(bench.workspace.file("day")))
        return bench
    }

    private func expectWhole(_ recording: Recording, _ bench: CallBench) throws {
        expectClosedAccounts(recording)
        #expect(recording.endReason == "the carrier closed the call")
        #expect(recording.framesReceived == 320)
        #expect(recording.sinks.map(\.lost) == [0, 0] && recording.sinks.map(\.written) == [320, 320])
        #expect(recording.events.first { $0.type == "dtmf" }?.frame == FramePosition(160))
        for sink in recording.sinks { #expect(try bench.samples(sink.files[0]) == ramp(0..<320)) }
        #expect(Verification(directory: bench.workspace.path, registry: testRegistry).check(recording).problems.isEmpty)
    }

    @Test func `a recording that cannot be published waits, is seen to wait, and is published once it can be`()
        async throws
    {
        let bench = try await failedCall()
        #expect(bench.recorder.unpublished?.count == 1)
        let warning = bench.recorder.readiness.warnings.first { $0.hasPrefix("1 recording waits to be published") }
        #expect(warning?.contains(bench.workspace.file("day")) == true)
        // An event that comes meanwhile belongs to the call.
        await bench.recorder.note("completed", data: ["price": "0.01"], of: bench.session.facts)
        try FileManager.default.removeItem(atPath: bench.workspace.file("day"))
        let keeper = Task { await bench.recorder.finishWaiting() }
        defer { keeper.cancel() }
        try await until("it is published, and forgotten") { bench.recorder.isIdle }
        let recording = try bench.recorder.store.manifest(named: "day/call")
        try expectWhole(recording, bench)
        #expect(recording.events.map(\.type) == ["dtmf", "completed"])
        #expect(bench.recorder.unpublished == nil && bench.recorder.readiness.warnings.isEmpty)
        #expect(bench.recorder.index.count == 1)
        #expect(try bench.workspace.files().filter { $0.hasPrefix(".partial") } == [".partial"])
    }

    @Test func `a recording whose disk is away waits for it, and is whole when it is back`() async throws {
        let bench = try CallBench([(Probe(), "{}")], template: "call")
        bench.receive(320)
        let away = bench.workspace.file("away"), partial = bench.workspace.file(".partial")
        try await until("its file is there") { try bench.workspace.files().contains { $0.hasSuffix("call.pcm") } }
        try FileManager.default.moveItem(atPath: partial, toPath: away)
        bench.session.end("the carrier closed the call")
        guard case .failure = await bench.result() else { throw DiskError("it was published") }
        #expect(bench.recorder.unpublished?.count == 1)
        try FileManager.default.moveItem(atPath: away, toPath: partial)
        await bench.recorder.finishLast()
        let recording = try bench.recorder.store.manifest(named: "call")
        expectClosedAccounts(recording)
        #expect(recording.sinks[0].state == .complete && recording.sinks[0].written == 320)
        #expect(try bench.samples(try #require(recording.sinks[0].files.first)) == ramp(0..<320))
    }

    @Test func `a recording that still waits at the end of the program is tried a last time`() async throws {
        let bench = try await failedCall()
        try FileManager.default.removeItem(atPath: bench.workspace.file("day"))
        await bench.recorder.finishLast()
        try expectWhole(try bench.recorder.store.manifest(named: "day/call"), bench)
    }

    /// The session's places refer to it, and its lock keeps a disk from being unmounted.
    @Test func `a call that is published lets go of its directory`() async throws {
        let bench = try CallBench([(Probe(), "{}")])
        weak var lock: DirectoryLock?
        try await until("it has a directory") {
            lock = bench.session.state.withLock { $0.partial?.lock }
            return lock != nil
        }
        _ = try await bench.end()
        #expect(bench.session.state.withLock { $0.partial == nil })
        try await until("the directory is closed") { lock == nil }
    }

    @Test func `attempts come less and less often, and never less than once a minute`() async throws {
        let bench = try await failedCall()
        var call = try #require(bench.recorder.state.withLock { $0.unfinished[bench.session.id] })
        var pauses: [Duration] = []
        for _ in 0..<8 {
            call.fail("no", now: .now)
            pauses.append(call.pause)
        }
        #expect(pauses == [4, 8, 16, 32, 60, 60, 60, 60].map { .seconds($0) })
    }
}

extension Recorder {
    /// No call is left to be finished.
    var isIdle: Bool { state.withLock { $0.unfinished.isEmpty } }
}
