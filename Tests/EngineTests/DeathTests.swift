import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// Programs that die after each step of publishing and of recovery.
///
/// The next program finishes the work, and no audio is lost.
@Suite struct DeathTests {
    /// The exit status of a dead program.
    private static let death: Int32 = 17

    /// Returns a store in a directory. Its program dies after so many steps.
    static func store(_ directory: String, dyingAfter steps: Int) throws -> RecordingStore {
        var store = RecordingStore(directory: directory, template: try NameTemplate("day/call"))
        let taken = Collected<StoreStep>()
        store.onStep = { step in
            taken.append(step)
            if taken.count > steps { _exit(death) }
        }
        return store
    }

    /// Two sinks of a call, the second with its own directory.
    static func sinks(_ directory: String) -> [CallLedger.Sink] {
        var near = CallLedger.Sink(type: "probe", name: "probe", state: .recording)
        near.files = [.init(name: "call.pcm", bytes: 0, start: .start)]
        var far = CallLedger.Sink(type: "probe", name: "far", state: .recording, directories: [directory + "/far"])
        far.files = [.init(name: "call.far.pcm", directory: directory + "/far", bytes: 0, start: .start)]
        return [near, far]
    }

    /// Begins a call and writes its files, for a program about to die.
    static func begin(_ store: RecordingStore, _ directory: String, id: RecordingID) throws -> (
        ledger: CallLedger, partial: PartialRecording
    ) {
        let ledger = CallLedger(
            id: id, name: "day/call", call: CallFacts(carrier: "test"), format: .telephone,
            startedAt: Date(timeIntervalSince1970: 1_000_000),
            sinks: sinks(directory))
        let partial = try store.begin(ledger)
        let far = "\(directory)/far/.partial/\(id)"
        try FileManager.default.createDirectory(atPath: far, withIntermediateDirectories: true)
        try audio("near").write(to: URL(fileURLWithPath: partial.directory + "/call.pcm"))
        try audio("far").write(to: URL(fileURLWithPath: far + "/call.far.pcm"))
        return (ledger, partial)
    }

    static func audio(_ word: String) -> Data { Data(String(repeating: word, count: 100).utf8) }

    /// Records that a program reached its end alive, with no step left to die at.
    static func survive(_ directory: String) -> Never {
        try? Data().write(to: URL(fileURLWithPath: directory + ".survived"))
        _exit(death)
    }

    /// Expects a program to survive the last number of steps. Otherwise some steps had no death after them.
    private func expectSurvival(_ workspace: Workspace, after steps: Int, of limit: Int) {
        let path = workspace.path + ".survived"
        if steps == limit - 1 { #expect(FileSystem.exists(path), "there are more than \(steps) steps") }
        FileSystem.removeName(path)
    }

    /// Returns the files under a directory, without the store's reserve.
    private func standing(_ workspace: Workspace) throws -> [String] {
        try workspace.files().map { $0 == ".partial/reserve" ? ".partial" : $0 }
    }

    /// Expects every byte to be published once, and a further recovery to change nothing.
    private func expectWhole(_ workspace: Workspace, dying steps: Int) throws {
        let store = RecordingStore(directory: workspace.path, template: try NameTemplate("day/call"))
        let recovery = Recovery(store: store, registry: testRegistry, logger: silentLogger)
        #expect(recovery.run().flatMap(\.problems) == [], "after step \(steps)")
        let recording = try store.manifest(named: "day/call")
        expectClosedAccounts(recording)
        #expect(recording.framesReceived == 200 && recording.sinks.map(\.lost) == [0, 50], "after step \(steps)")
        #expect(
            try workspace.data("day/call.pcm") == Self.audio("near")
                && workspace.data("far/day/call.far.pcm") == Self.audio("far"))
        let files = try standing(workspace)
        #expect(
            files == [".partial", "day/call.json", "day/call.pcm", "far/.partial", "far/day/call.far.pcm"],
            "after step \(steps)")
        let manifest = try workspace.data("day/call.json")
        #expect(recovery.run().isEmpty)
        #expect(try standing(workspace) == files && workspace.data("day/call.json") == manifest)
        let verification = Verification(directory: workspace.path, registry: testRegistry)
        #expect(
            try verification.survey().problems == [] && verification.check(recording).problems == [],
            "after step \(steps)")
    }

    @Test(arguments: 0..<20)
    func `a program that dies while it publishes loses nothing`(steps: Int) async throws {
        let workspace = try Workspace(), path = workspace.path
        await #expect(processExitsWith: .exitCode(17)) { [path = path as String, steps = steps as Int] in
            let store = try DeathTests.store(path, dyingAfter: steps)
            try store.prepare()
            var (ledger, partial) = try DeathTests.begin(store, path, id: RecordingID())
            ledger.framesReceived = 200
            ledger.endedAt = ledger.startedAt
            ledger.endReason = "over"
            let files = zip(ledger.sinks, [200, 150]).map { sink, frames in
                sink.files.map { CallFile(root: $0.directory, name: $0.name, frames: frames, start: 0) }
            }
            for (index, frames) in [200, 150].enumerated() {
                ledger.sinks[index].state = .ended(frames == 200 ? .complete : .failed)
                ledger.sinks[index].written = frames
                ledger.sinks[index].lost = 200 - frames
            }
            _ = try store.publish(store.seal(ledger, files: files, in: partial), from: partial, keepPartial: false)
            DeathTests.survive(path)
        }
        expectSurvival(workspace, after: steps, of: 20)
        try expectWhole(workspace, dying: steps)
    }

    @Test(arguments: 0..<26)
    func `a recovery that dies is finished by the next one`(steps: Int) async throws {
        let workspace = try Workspace(), path = workspace.path
        do {
            let store = RecordingStore(directory: path, template: try NameTemplate("day/call"))
            try store.prepare()
            _ = try Self.begin(store, path, id: RecordingID())
        }
        await #expect(processExitsWith: .exitCode(17)) { [path = path as String, steps = steps as Int] in
            let store = try DeathTests.store(path, dyingAfter: steps)
            _ = Recovery(store: store, registry: testRegistry, logger: silentLogger).run()
            DeathTests.survive(path)
        }
        expectSurvival(workspace, after: steps, of: 26)
        try expectWhole(workspace, dying: steps)
    }

    /// The program dies while it settles an irreparable file.
    @Test(arguments: 0..<28)
    func `a settlement that dies is finished by the next one, and deletes nothing`(steps: Int) async throws {
        let workspace = try Workspace(), path = workspace.path, id = RecordingID()
        do {
            let store = RecordingStore(directory: path, template: try NameTemplate("day/call"))
            try store.prepare()
            _ = try Self.begin(store, path, id: id)
        }
        try workspace.plant(".partial/\(id)/stranger.bin", "what is this?")
        await #expect(processExitsWith: .exitCode(17)) { [path = path as String, steps = steps as Int] in
            let store = try DeathTests.store(path, dyingAfter: steps)
            _ = Recovery(store: store, registry: testRegistry, logger: silentLogger).run(settling: .all)
            DeathTests.survive(path)
        }
        expectSurvival(workspace, after: steps, of: 28)
        let store = RecordingStore(directory: path, template: try NameTemplate("day/call"))
        let recovery = Recovery(store: store, registry: testRegistry, logger: silentLogger)
        #expect(recovery.run(settling: .all).flatMap(\.problems) == [])
        #expect(recovery.run().isEmpty)
        let kept = ".callreel/unrepaired/\(id)/stranger.bin"
        #expect(try workspace.text(kept) == "what is this?")
        #expect(
            try standing(workspace) == [
                kept, ".partial", "day/call.json", "day/call.pcm", "far/.partial", "far/day/call.far.pcm",
            ],
            "after step \(steps)")
        #expect(
            try workspace.data("day/call.pcm") == Self.audio("near")
                && workspace.data("far/day/call.far.pcm") == Self.audio("far"))
    }
}
