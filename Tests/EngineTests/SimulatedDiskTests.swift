import CallreelSinks
import CallreelTesting
import Foundation
import TestSupport
import Testing

@testable import CallreelCore
@testable import CallreelEngine

/// The model of the simulated disk, and the sinks of files on it.
@Suite struct SimulatedDiskTests {
    private func write(_ text: String, _ path: String, syncs: Bool) throws {
        let file = try FileSystem.open(path, FileOpening(.create(mode: 0o600)))
        try unsafe file.append(Array(text.utf8).span.bytes)
        if syncs { try file.synchronize() }
    }

    private func text(_ image: DiskImage, _ path: String) -> String? {
        image.files[path].map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `a power cut keeps what was synced, and any part of the rest`() throws {
        let disk = SimulatedDisk()
        try FileSystem.$disk.withValue(disk) {
            try write("synced", "/a", syncs: true)
            try FileSystem.synchronizeDirectory("/")
            try unsafe FileSystem.open("/a", FileOpening(.write)).append(Array("SYN".utf8).span.bytes)
            try write("name not synced", "/b", syncs: true)
        }
        var found: Set<String> = []
        for seed in 0..<100 as Range<UInt64> {
            let image = disk.image.afterPowerCut(seed: seed, time: 0)
            found.insert(try #require(text(image, "/a")))
            found.insert(text(image, "/b") ?? "no b")
        }
        #expect(found == ["synced", "Synced", "SYnced", "SYNced", "name not synced", "no b"])
        #expect(text(disk.image.afterKill(), "/a") == "SYNced")
    }

    @Test func `a rename is on the disk as a whole, or not at all`() throws {
        let disk = SimulatedDisk()
        try FileSystem.$disk.withValue(disk) {
            for name in ["/one", "/two"] { try FileSystem.makeDirectory(name, mode: 0o700) }
            try write("text", "/one/a", syncs: true)
            for name in ["/one", "/"] { try FileSystem.synchronizeDirectory(name) }
            try FileSystem.rename("/one/a", to: "/two/a", failing: "")
        }
        var found: Set<[String]> = []
        for seed in 0..<100 as Range<UInt64> {
            found.insert(disk.image.afterPowerCut(seed: seed, time: 0).files.keys.sorted())
        }
        #expect(found == [["/one/a"], ["/two/a"]])
    }

    @Test func `after a failed sync, later ones report success and keep nothing`() throws {
        let disk = SimulatedDisk { $0.kind == .synchronize && $0.path == "/a" ? .fail(EIO) : nil }
        try FileSystem.$disk.withValue(disk) {
            #expect(throws: (any Error).self) { try write("text", "/a", syncs: true) }
            try FileSystem.synchronizeDirectory("/")
        }
        let again = SimulatedDisk(disk.image)
        try FileSystem.$disk.withValue(again) { try FileSystem.synchronize("/a") }
        #expect(text(again.image.afterPowerCut(seed: 1, time: 0), "/a") == "")
    }

    @Test func `a full disk takes the bytes that fit`() throws {
        let disk = SimulatedDisk(capacity: 3)
        FileSystem.$disk.withValue(disk) {
            let error = #expect(throws: ErrorNumber.self) { try write("text", "/a", syncs: false) }
            #expect(error?.value == ENOSPC)
        }
        #expect(text(disk.image, "/a") == "tex")
    }

    @Test func `the disk is that of the task, also in new tasks and in the threads of disk calls`() async {
        let disk = SimulatedDisk()
        await FileSystem.$disk.withValue(disk) {
            let inTask = await Task { FileSystem.disk is SimulatedDisk }.value
            let executor = BlockingExecutor(name: "test", threads: 1)
            let onExecutor = await executor.run { FileSystem.disk is SimulatedDisk }
            let inThread = DiskQuestion { FileSystem.disk is SimulatedDisk }.answer(by: .now + .seconds(60))
            #expect(inTask && onExecutor && inThread == true)
        }
        #expect(FileSystem.disk is SystemDisk)
    }

    @Test func `clocks of a test move the time of a call`() {
        let clocks = ManualClocks()
        Clocks.$current.withValue(Clocks(clocks)) {
            let clock = CallClock()
            clocks.advance(by: 90)
            clocks.setWall(.distantPast)
            #expect(clock.now == clock.start + 90)
        }
    }

    /// Writes a call through a sink, killed before any of its operations or not at all, and repairs its file.
    private func checkKills<Sink: AudioSink & ~Copyable>(_: Sink.Type) async throws {
        let format = AudioFormat(sampleRate: 8000), place = SinkDirectory(path: "/call", fileStem: "call")
        let disk = SimulatedDisk(keepsHistory: true), frames = 3000
        try await FileSystem.$disk.withValue(disk) {
            try FileSystem.makeDirectory("/call", mode: 0o700)
            let context = SinkContext(
                recording: RecordingFacts(id: RecordingID(), call: CallFacts(carrier: "test"), startedAt: Date()),
                format: format, sinkName: "test", directory: place, logger: silentLogger)
            var sink = try await Sink(options: .init(), context: context)
            for start in stride(from: 0, to: frames, by: 200) {
                let samples = (start..<start + 200).map { Int16(truncatingIfNeeded: $0 * 37) }
                try await sink.write(PCMChunk(samples: samples, format: format, start: FramePosition(start)))
                try await sink.checkpoint()
            }
            #expect(try await sink.finish(.hangup).frames == frames)
        }
        let path = "/call/call.\(Sink.type)"
        var longest = 0
        for (operation, before) in disk.history where before.files[path] != nil {
            let next = SimulatedDisk(before.afterKill())
            try FileSystem.$disk.withValue(next) {
                guard let repaired = try? Sink.repair(path, format: format, dryRun: false) else { return }
                let decoded = try Sink.decode(path, format: format) { _ in }
                #expect(decoded?.frames == repaired.frames, "before \(operation)")
                let again = try Sink.repair(path, format: format, dryRun: false)
                #expect(again?.change == nil && again?.frames == repaired.frames, "before \(operation)")
                #expect(repaired.frames >= longest, "before \(operation)")
                longest = max(longest, repaired.frames)
            }
        }
        #expect(longest == frames)
    }

    @Test func `the file of a sink that is killed before any operation is repaired`() async throws {
        try await checkKills(RawSink.self)
        try await checkKills(WAVSink.self)
        try await checkKills(FLACSink.self)
    }
}
