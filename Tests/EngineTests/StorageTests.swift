import CoreMetrics
import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct StorageTests {
    private func directory(_ path: String, mustExist: Bool = false, hangLimit: Duration = .seconds(60))
        -> StorageDirectory
    {
        StorageDirectory(
            path, .test(mustExist: mustExist), freeBytes: .test, hangLimit: hangLimit)
    }

    @Test func `a directory in which everything can be done is made and has nothing to say`() throws {
        let workspace = try Workspace()
        let place = directory(workspace.file("a/b"))
        place.look(silentLogger)
        #expect(place.problem == nil && place.refusal == nil && place.isKnown)
        let files = try workspace.files()
        #expect(files.count == 1 && files[0].hasPrefix("a/b/.partial/volume-"))
        place.look(silentLogger)
        #expect(place.problem == nil)
        #expect(try workspace.files() == files)
    }

    @Test func `a directory that must exist and is missing is left alone, and named`() throws {
        let workspace = try Workspace()
        let place = directory(workspace.file("mnt/archive"), mustExist: true)
        place.look(silentLogger)
        #expect(place.refusal?.contains(workspace.file("mnt/archive")) == true)
        #expect(try workspace.files().isEmpty)
        try FileManager.default.createDirectory(
            atPath: workspace.file("mnt/archive"), withIntermediateDirectories: true)
        place.look(silentLogger)
        #expect(place.problem == nil)
    }

    @Test func `no sink creates a directory that must exist, also before its first rehearsal`() throws {
        let workspace = try Workspace()
        let path = workspace.file("mnt/archive")
        let context = workspace.context(in: path + "/.partial")
        let guardian = DirectoryGuardian(directory(path, mustExist: true), isLast: true)
        #expect(throws: SinkError.self) { try guardian.prepare(context) }
        #expect(!FileSystem.exists(workspace.file("mnt")))
        try DirectoryGuardian(directory(path), isLast: true).prepare(context)
        #expect(FileSystem.exists(context.directory))
    }

    /// As if the disk were unmounted under the program: /dev/shm is another file system.
    @Test(
        .enabled(
            if: FileSystem.device("/dev/shm") != nil
                && FileSystem.device("/dev/shm") != FileSystem.device(NSTemporaryDirectory())))
    func `another disk in the place of the first one is not recorded to, and the first one is known again`() throws {
        let workspace = try Workspace()
        let other = "/dev/shm/callreel-core-" + UUID().uuidString
        for path in [workspace.file("disk"), other] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        defer { try? FileManager.default.removeItem(atPath: other) }
        func mount(_ path: String) throws {
            try? FileManager.default.removeItem(atPath: workspace.file("mnt"))
            try FileManager.default.createSymbolicLink(atPath: workspace.file("mnt"), withDestinationPath: path)
        }
        try mount(workspace.file("disk"))
        let place = directory(workspace.file("mnt"))
        place.look(silentLogger)
        #expect(place.problem == nil)
        try mount(other)
        place.look(silentLogger)
        #expect(place.refusal?.contains("another file system") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: other).isEmpty)
        try mount(workspace.file("disk"))
        place.look(silentLogger)
        #expect(place.problem == nil)
        // The same disk, under a new device number.
        try FileManager.default.copyItem(atPath: workspace.file("disk/.partial"), toPath: other + "/.partial")
        try mount(other)
        place.look(silentLogger)
        #expect(place.problem == nil)
    }

    @Test func `a directory that hangs is named, holds up no other one, and is well when it answers`() async throws {
        let stuck = try Workspace(), free = try Workspace()
        let gate = Gate()
        let bad = directory(stuck.path, hangLimit: .milliseconds(50)), good = directory(free.path)
        bad.beforeLook { gate.wait() }
        for place in [bad, good] { place.rehearse(silentLogger) }
        try await until("the one hangs, and the other one is known") { bad.hang != nil && good.isKnown }
        #expect(bad.problem?.contains("has not answered") == true && bad.refusal != nil && good.problem == nil)
        // No operation waits for the directory.
        let access = DirectoryAccess { $0 == bad.path ? bad : nil }
        let touched = Collected<Void>()
        let error = await BlockingExecutor(name: "test").run {
            #expect(throws: DiskError.self) { try access.run(in: bad.path) { touched.append(()) } }
        }
        #expect(error?.underlying == ETIMEDOUT)
        await bad.threads.run {}
        #expect(touched.count == 0)
        gate.open()
        try await until("it answers again") { bad.problem == nil && bad.isKnown }
    }

    @Test func `a disk call that hangs is given up, and what it does later is undone`() async throws {
        let workspace = try Workspace()
        let place = directory(workspace.path, hangLimit: .milliseconds(50))
        let gate = Gate(), undone = Collected<Int>()
        let access = DirectoryAccess { _ in place }
        place.beforeLook { gate.wait() }
        let call = Task {
            await BlockingExecutor(name: "test").run {
                #expect(throws: DiskError.self) {
                    try access.run(in: workspace.path, undo: { undone.append($0) }) {
                        gate.wait()
                        return 7
                    }
                }
            }
        }
        try await until("the call hangs") { gate.waiting == 1 }
        let began = ContinuousClock.now
        place.rehearse(silentLogger)
        #expect(await call.value?.underlying == ETIMEDOUT)
        // As soon as the directory is known to hang, before the time limit of a call.
        #expect(ContinuousClock.now - began < DirectoryAccess.limit)
        gate.open()
        try await until("it was undone") { undone.values == [7] }
    }

    @Test func `a call that waits for the disk is told of, and work that takes long is not`() async throws {
        let workspace = try Workspace()
        let place = StorageDirectory(
            workspace.path, .test(), freeBytes: .test, busyLimit: .milliseconds(50))
        let gate = Gate(), executor = BlockingExecutor(name: "test", threads: 2)
        let long = Task {
            try await place.run(on: executor, takesLong: true) { () throws(DiskError) in gate.wait() }
        }
        try await until("it runs") { gate.waiting == 1 }
        try await Task.sleep(for: .milliseconds(100))
        #expect(place.delay == nil && !place.isStuck)
        let call = Task { try await place.run(on: executor) { () throws(DiskError) in gate.wait() } }
        try await until("the call is told of") { place.delay?.contains(workspace.path) == true && place.isStuck }
        gate.open()
        try await long.value
        try await call.value
        #expect(place.delay == nil)
    }

    @Test func `a program that ends does not wait for a recordings directory that hangs`() async throws {
        let workspace = try Workspace()
        let place = directory(workspace.path, hangLimit: .milliseconds(50))
        let gate = Gate()
        place.beforeLook { gate.wait() }
        place.rehearse(silentLogger)
        let call = Task { () -> DiskError? in
            do throws(DiskError) {
                try await place.run(on: BlockingExecutor(name: "test")) { gate.wait() }
                return nil
            } catch {
                return error
            }
        }
        try await until("it hangs, and a call in it") { gate.waiting == 2 && place.hang != nil }
        place.giveUp()
        #expect(await call.value?.underlying == ETIMEDOUT)
        gate.open()
        try await until("it answers again") { place.problem == nil }
        let answer = try await place.run(on: BlockingExecutor(name: "test")) { () throws(DiskError) in 7 }
        #expect(answer == 7)
    }

    @Test func `a call that begins while a sink's directory hangs goes on in the fallback at once`() async throws {
        let stuck = try Workspace(), fallback = try Workspace()
        let bench = try CallBench([(Probe(), "{}")])
        let gate = Gate()
        defer { gate.open() }
        var problems: [ConfigurationProblem] = []
        let probe = Probe()
        let entry =
            #"[{"type": "probe", "probe": "\#(probe.name)", "directory": "\#(stuck.path)", "fallback": "\#(fallback.path)"}]"#
        let plans = SinkPlan.read(try .parse(entry), at: .root, registry: testRegistry, problems: &problems)
        #expect(problems.isEmpty)
        let recorder = Recorder(
            store: bench.recorder.store, settings: RecorderSettings(sinks: plans), registry: testRegistry,
            catalogue: RecordingIndex(),
            logger: silentLogger)
        let place = recorder.stations[0].places[0].directory
        place.beforeLook { gate.wait() }
        place.rehearse(silentLogger)
        try await until("the directory hangs") { place.hang != nil }
        #expect(recorder.readiness.isReady)
        #expect(recorder.readiness.warnings.contains { $0.contains(stuck.path) })
        let call = recorder.startCall(CallFacts(carrier: "test"), format: .telephone), session = call.session
        #expect(session.receive(ramp(0..<160)))
        session.end("over")
        let recording = try await call.result.value.get()
        #expect(recording.sinks.map(\.state) == [.complete])
        #expect(recording.sinks[0].files.map(\.directory) == [fallback.path])
        #expect(try stuck.files().isEmpty)
        _ = try await bench.end()
    }

    @Test(arguments: [
        (ENOSPC, 0, "inode"), (ENOSPC, 5, "no space"), (EDQUOT, 5, "quota"), (EROFS, 5, "read-only"),
        (EMFILE, 5, "ulimit"), (ENFILE, 5, "file-max"),
        (EACCES, 5, "may not write to"),
    ])
    func `the cause is said in words`(number: Int32, files: Int, word: String) {
        let room = FileSystem.Room(bytes: 1 << 30, files: files)
        let words = Rehearsal.words(DiskError("cannot create /x/y", underlying: number), root: "/x", room: room)
        #expect(words.contains(word), "\(words)")
    }

    @Test func `what rehearsals of killed programs left is removed, and nothing else`() throws {
        let workspace = try Workspace()
        for name in [".partial/probe-1/file", ".probe-1", ".partial/other/file", ".partial/probe-2/file"] {
            try workspace.plant(name, "x")
        }
        for name in [".partial/probe-1", ".probe-1", ".partial/other"] {
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -120)], ofItemAtPath: workspace.file(name))
        }
        // One rehearsal runs.
        let lock = try DirectoryLock(existing: workspace.file(".partial/probe-2"))
        try workspace.plant(".probe-2", "x")
        try workspace.plant(".partial/new-probe-3/file", "x")
        // One sink is being opened, and another was, long ago.
        try workspace.plant(".partial/opening-4/call.wav", "x")
        try workspace.plant(".partial/opening-5/.call.mp3.program/call.mp3", "x")
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -120)], ofItemAtPath: workspace.file(".partial/opening-5"))
        Rehearsal.removeLeftovers(in: workspace.path)
        #expect(
            try workspace.files() == [
                ".partial/new-probe-3/file", ".partial/opening-4/call.wav", ".partial/other/file",
                ".partial/probe-2/file", ".probe-2",
            ])
        withExtendedLifetime(lock) {}
    }
}
