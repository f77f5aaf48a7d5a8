import CallreelSinks
import Foundation
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// Recovery of a dead program's call.
@Suite struct RecoveryTests {
    @Test func `silence stays silence, masked stays masked, what was skipped is in no file, and the rest is lost`()
        throws
    {
        let bench = try InterruptedBench()
        var left = bench.sink("left", [("call.left.pcm", 0), ("call.left.part2.pcm", 400)]).with(
            silence: [50..<60], skipped: [300..<400])
        left.onPause = .skip
        let full = bench.sink("probe", [("call.pcm", 0)]).with(silence: [100..<200, 900..<1000], masked: [300..<400])
        var manifest = bench.manifest([full, left], frames: 600)
        for (frame, type) in [(300, CallEvent.paused), (400, CallEvent.resumed)] {
            manifest.events.append(
                .init(frame: FramePosition(frame), at: Date(timeIntervalSince1970: 1), type: type, data: [:]))
        }
        try bench.plant(manifest)
        try bench.plant("call.pcm", frames: 700)
        try bench.plant("call.left.pcm", frames: 300)
        try bench.plant("call.left.part2.pcm", frames: 100)
        #expect(bench.recover().map(\.problems) == [[]])

        let recording = try bench.published()
        expectClosedAccounts(recording)
        #expect(recording.framesReceived == 700)
        let whole = recording.sinks[0]
        #expect(whole.numbers == [500, 100, 100, 0, 0])
        #expect(whole.ranges?.silence == FrameRanges([100..<200]) && whole.ranges?.masked == FrameRanges([300..<400]))
        let parts = recording.sinks[1]
        #expect(parts.numbers == [390, 10, 0, 100, 200])
        #expect(parts.ranges?.lost == FrameRanges([500..<700]))
        #expect(parts.files.map(\.start?.frames) == [0, 400])
        #expect(recording.events.map(\.frame.frames) == [300, 400])
        #expect(try bench.problems() == [])
    }

    @Test func `a manifest of an older program, which has no ranges, is recovered by its pauses`() throws {
        let bench = try InterruptedBench()
        var skipping = bench.sink("left", [("call.left.pcm", nil), ("call.left.part2.pcm", nil)])
        skipping.onPause = .skip
        var manifest = bench.manifest([bench.sink("probe", [("call.pcm", nil)]), skipping], frames: 600)
        for (frame, type) in [(300, CallEvent.paused), (400, CallEvent.resumed)] {
            manifest.events.append(
                .init(frame: FramePosition(frame), at: Date(timeIntervalSince1970: 1), type: type, data: [:]))
        }
        try bench.plant(manifest)
        try bench.plant("call.pcm", frames: 600)
        try bench.plant("call.left.pcm", frames: 300)
        try bench.plant("call.left.part2.pcm", frames: 150)
        #expect(bench.recover().map(\.problems) == [[]])
        let sinks = try bench.published().sinks
        #expect(sinks[0].numbers == [500, 0, 100, 0, 0])
        #expect(sinks[1].numbers == [450, 0, 0, 100, 50])
        #expect(sinks[1].ranges?.lost == FrameRanges([550..<600]))
    }

    @Test func `a recovered call ends when it was last known to run, whenever it is repaired and however often`() throws
    {
        let bench = try InterruptedBench()
        try bench.plant(bench.manifest([bench.sink("probe", [("call.pcm", 0)])], frames: 100))
        try bench.plant("call.pcm", frames: 100)
        try bench.touch("call.json", at: 1_000_020)
        try bench.touch("call.pcm", at: 1_000_030.5)
        // The first attempt gets as far as the repair, and then cannot publish.
        try bench.workspace.plant("day", "in the way of a directory")
        #expect(bench.recover().first?.problems.isEmpty == false)
        try bench.touch("call.pcm", at: 2_000_000)
        try FileManager.default.removeItem(atPath: bench.workspace.file("day"))
        #expect(bench.recover().map(\.problems) == [[]])
        #expect(try bench.published().endedAt == Date(timeIntervalSince1970: 1_000_030.5))
    }

    @Test func `a call never ends before it began, whatever the clock said`() throws {
        let bench = try InterruptedBench()
        try bench.plant(bench.manifest([bench.sink("probe", [("call.pcm", 0)])]))
        try bench.plant("call.pcm", frames: 100)
        for name in ["call.json", "call.pcm"] { try bench.touch(name, at: 500) }
        _ = bench.recover()
        let recording = try bench.published()
        #expect(recording.endedAt == recording.startedAt)
    }

    @Test(arguments: [true, false])
    func `a call waits for the disk that a file of it is on, and is whole when the disk is there`(hasMountPoint: Bool)
        throws
    {
        let bench = try InterruptedBench(), disk = try Workspace()
        let root = disk.file("mount")
        try bench.plant(
            bench.manifest([
                bench.sink("probe", [("call.pcm", 0)]), bench.sink("far", [("call.far.pcm", 0)], directories: [root]),
            ]))
        try bench.plant("call.pcm", frames: 100)
        if hasMountPoint { try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true) }
        let before = try bench.workspace.files()
        for _ in 0..<2 {
            let finding = try #require(bench.recover().first)
            #expect(finding.outcome == .waits && finding.problems.count == 1)
            #expect(finding.problems.first?.contains("\(root)/.partial/\(bench.id)/call.far.pcm") == true)
            #expect(try bench.workspace.files() == before)
            #expect(FileSystem.exists(root) == hasMountPoint)
        }
        try disk.plant("mount/.partial/\(bench.id)/call.far.pcm", String(repeating: "ab", count: 100))
        #expect(bench.recover().map(\.problems) == [[]])
        let recording = try bench.published()
        #expect(recording.sinks.map(\.written) == [100, 100] && recording.sinks[1].files.map(\.directory) == [root])
    }

    @Test func `a named file that has gone makes its call wait, until an operator gives it up`() throws {
        let bench = try InterruptedBench()
        try bench.plant(
            bench.manifest(
                [bench.sink("probe", [("call.pcm", 0)]), bench.sink("other", [("call.other.pcm", 0)])], frames: 100))
        try bench.plant("call.pcm", frames: 100)
        let finding = try #require(bench.recover().first)
        #expect(
            finding.problems.count == 1 && finding.problems[0].contains("call.other.pcm") && finding.outcome == .waits)
        #expect(bench.recover(settling: .only(RecordingID())).first?.outcome == .waits, "another call is settled")
        #expect(bench.recover(settling: .only(bench.id)).first?.outcome == .published)
        let recording = try bench.published()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.state) == [.recovered, .failed] && recording.sinks[1].lost == 100)
        #expect(recording.sinks[1].error?.contains("call.other.pcm") == true)
        #expect(recording.events.map(\.type) == ["settled"])
        #expect(bench.recover().isEmpty)
    }

    @Test func `what cannot be repaired is published around once, named each time, and put aside when it is settled`()
        throws
    {
        let bench = try InterruptedBench()
        try bench.plant(
            bench.manifest([bench.sink("probe", [("call.pcm", 0)]), bench.sink("other", [("call.other.pcm", 0)])]))
        try bench.plant("call.pcm", frames: 100)
        try bench.workspace.plant(bench.path("call.other.pcm") + "/inside", "a directory is no file")
        try bench.workspace.plant(bench.path("stranger.bin"), "what is this?")
        #expect(bench.recover().first?.outcome == .published)
        let first = try bench.workspace.data("day/call.json")
        for _ in 0..<2 {
            let finding = try #require(bench.recover().first)
            #expect(finding.outcome == .wasPublished && finding.problems.count == 2, "\(finding.problems)")
            #expect(try bench.workspace.data("day/call.json") == first)
        }
        let settled = try #require(bench.recover(settling: .all).first)
        #expect(
            settled.problems.isEmpty && settled.setAside.map(\.name).sorted() == ["call.other.pcm", "stranger.bin"])
        let place = ".callreel/unrepaired/\(bench.id)/"
        #expect(try bench.workspace.text(place + "stranger.bin") == "what is this?")
        #expect(try bench.workspace.text(place + "call.other.pcm/inside") == "a directory is no file")
        let recording = try bench.published()
        #expect(recording.events.map { $0.data["file"] } == ["call.other.pcm", "stranger.bin"])
        #expect(try bench.workspace.text("day/call.pcm").count == 200)
        #expect(bench.recover().isEmpty && FileStatus.isMissing(bench.workspace.file(".partial/\(bench.id)")))
    }

    @Test func `a recording that is deleted by hand does not come back from what it left behind`() throws {
        let bench = try InterruptedBench()
        try bench.plant(bench.manifest([bench.sink("probe", [("call.pcm", 0)])]))
        try bench.plant("call.pcm", frames: 100)
        try bench.workspace.plant(bench.path("stranger.bin"), "what is this?")
        _ = bench.recover()
        try FileManager.default.removeItem(atPath: bench.workspace.file("day"))
        let finding = try #require(bench.recover().first)
        #expect(finding.outcome == .waits && finding.problems.count == 1)
        #expect(!FileSystem.exists(bench.workspace.file("day")))
        _ = bench.recover(settling: .all)
        #expect(bench.recover().isEmpty && !FileSystem.exists(bench.workspace.file("day")))
        #expect(try bench.workspace.text(".callreel/unrepaired/\(bench.id)/stranger.bin") == "what is this?")
    }

    /// A program may die after it gave a late file its published name, and before the manifest named it.
    @Test func `a file is published when the manifest names it, whatever links there are`() throws {
        let bench = try InterruptedBench()
        var manifest = bench.manifest([bench.sink("probe", [("call.pcm", 0)])], frames: 100)
        try bench.plant(manifest)
        try bench.plant("call.pcm", frames: 100)
        manifest.sinks[0].state = .ended(.stalled)
        manifest.sinks[0].files = []
        manifest.sinks[0].lost = 100
        manifest.endedAt = manifest.startedAt
        manifest.endReason = "over"
        try bench.workspace.plant(
            "day/call.json", String(decoding: try manifest.manifest(as: "day/call").encoded(), as: UTF8.self))
        #expect(
            try FileSystem.link(bench.workspace.file(bench.path("call.pcm")), as: bench.workspace.file("day/call.pcm")))
        #expect(bench.recover().first?.problems == [])
        let recording = try bench.published()
        #expect(
            recording.sinks[0].state == .recovered && recording.sinks[0].written == 100 && recording.sinks[0].lost == 0)
        #expect(recording.sinks[0].files.map(\.name) == ["day/call.pcm"])
        #expect(try bench.workspace.files() == [".partial", "day/call.json", "day/call.pcm"])
    }

    @Test func `files without a byte are nothing, and a call of nothing else is no call`() throws {
        let bench = try InterruptedBench()
        try bench.plant(
            bench.manifest([bench.sink("probe", [("call.pcm", 0)]), bench.sink("other", [("call.other.pcm", 0)])]))
        try bench.plant("call.pcm", frames: 100)
        try bench.plant("call.other.pcm", frames: 0)
        try bench.workspace.plant(".partial/\(RecordingID())/x.json", "")
        try bench.workspace.plant(".partial/\(RecordingID())/x.json", "\0\0\0\0")
        #expect(bench.recover().map(\.problems) == [[]])
        #expect(try bench.published().sinks.map(\.files.count) == [1, 0])
        #expect(try bench.workspace.files() == [".partial", "day/call.json", "day/call.pcm"])
    }

    @Test(arguments: [(60_000, false), (70_000, true)])
    func `a file in which its sink finds no frame is kept, unless it is as short as a header`(bytes: Int, isKept: Bool)
        throws
    {
        let bench = try InterruptedBench()
        var sink = bench.sink("probe", [("call.pcm", 0), ("call.2.pcm", 0)])
        sink.type = BlindSink.type
        try bench.plant(bench.manifest([sink], frames: 100))
        try bench.plant("call.pcm", frames: 100)
        try bench.plant("call.2.pcm", frames: bytes / 2)
        var registry = testRegistry
        registry.register(BlindSink.self)
        let recovery = Recovery(store: bench.store, registry: registry, logger: silentLogger)
        #expect(recovery.run().map(\.problems) == [[]])
        #expect(try bench.published().sinks[0].files.count == (isKept ? 2 : 1))
        #expect(try bench.workspace.files().contains("day/call.2.pcm") == isKept)
    }

    @Test func `files without a byte in sinks' own directories go with a manifest that is lost`() throws {
        let bench = try InterruptedBench(), far = try Workspace()
        try bench.workspace.plant(bench.path("call.json"), "")
        try bench.plant("call.raw", frames: 100)
        try far.plant(bench.path("call.flac"), "")
        let recovery = Recovery(
            store: bench.store, registry: .builtIn, roots: [far.path], logger: silentLogger)
        #expect(recovery.run(dryRun: true).map(\.outcome) == [.published])
        #expect(try far.files() == [bench.path("call.flac")])
        #expect(recovery.run().map(\.outcome) == [.published])
        #expect(try far.files() == [".partial"])
        #expect(try bench.workspace.files().filter { $0.hasSuffix(".raw") }.count == 1)
    }

    @Test func `a directory of unfinished calls that cannot be read is a problem`() throws {
        let bench = try InterruptedBench()
        try FileManager.default.removeItem(atPath: bench.workspace.file(".partial"))
        try FileManager.default.createSymbolicLink(
            atPath: bench.workspace.file(".partial"), withDestinationPath: ".partial")
        #expect(bench.recover().first?.problems.first?.contains(".partial") == true)
    }
}

/// A sink whose repair finds frames in the shortest files only.
private struct BlindSink: AudioSink, ~Copyable {
    static let type = "blind"
    static let summary = "finds no frames in long files"

    init(options: NoOptions, context: SinkContext) {}

    mutating func write(_ chunk: borrowing PCMChunk) {}

    consuming func finish(_ end: CallEnd) -> SinkReceipt { SinkReceipt(frames: 0) }

    static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        let bytes = FileManager.default.contents(atPath: path)?.count ?? 0
        return FileRepair(frames: bytes > 1000 ? 0 : bytes / format.bytesPerFrame)
    }
}

/// The ledgers and manifests that a program may leave of one call.
@Suite struct FoundLedgerTests {
    private func ended(_ bench: InterruptedBench) -> CallLedger {
        var manifest = bench.manifest([bench.sink("probe", [("call.pcm", 0)]).with(silence: [0..<10])], frames: 150)
        manifest.endedAt = Date(timeIntervalSince1970: 1_000_040)
        manifest.endReason = "the caller hung up"
        manifest.events.append(
            .init(frame: FramePosition(7), at: manifest.startedAt, type: "dtmf", data: ["digit": "7"]))
        manifest.sinks[0].state = .ended(.complete)
        manifest.sinks[0].written = 140
        manifest.sinks[0].silence = 10
        manifest.sinks[0].files[0].frames = 150
        return manifest
    }

    @Test(arguments: ["call.json.new", "call.json.final", "call.json.final.new"])
    func `the manifest that says most is taken, whatever it is called, and empty and torn ones are passed over`(
        name: String
    ) throws {
        let bench = try InterruptedBench()
        var last = ended(bench)
        if name.contains("final") {
            last.sinks[0].files[0].sha256 = String(repeating: "a", count: 64)
            try bench.plant(last.manifest(as: "day/call-2") { _ in "day/call-2.pcm" }, as: name)
        } else {
            try bench.plant(last, as: name)
        }
        try bench.plant(bench.manifest([bench.sink("probe", [("call.pcm", 0)])], frames: 20))
        for torn in ["call.json.new", "call.json.final", "call.json.final.new"] where torn != name {
            try bench.workspace.plant(bench.path(torn), torn.hasSuffix("final") ? "" : #"{"id": ""#)
        }
        try bench.plant("call.pcm", frames: 150)
        #expect(bench.recover().map(\.problems) == [[]])
        let recording = try bench.published()
        #expect(
            recording.endReason == "the caller hung up" && recording.endedAt == Date(timeIntervalSince1970: 1_000_040))
        #expect(recording.framesReceived == 150 && recording.events.map(\.type) == ["dtmf"])
        #expect(recording.sinks[0].state == .complete && recording.sinks[0].silence == 10)
        #expect(recording.sinks[0].files.map(\.name) == ["day/call.pcm"])
        #expect(try bench.workspace.files() == [".partial", "day/call.json", "day/call.pcm"])
    }

    @Test func `the order of names in the directory decides nothing`() throws {
        let bench = try InterruptedBench()
        try bench.plant(bench.manifest([bench.sink("probe", [("call.pcm", 0)])], frames: 20))
        try bench.plant(bench.manifest([bench.sink("probe", [("call.pcm", 0)])], frames: 400), as: "call.json.new")
        try bench.plant("call.pcm", frames: 150)
        _ = bench.recover()
        #expect(try bench.published().framesReceived == 400)
    }

    @Test func `a manifest of another version is left alone`() throws {
        let bench = try InterruptedBench()
        let text = String(decoding: try bench.manifest([]).encoded(), as: UTF8.self).replacing(
            "\"version\" : 1", with: "\"version\" : 2")
        try bench.workspace.plant(bench.path("call.json"), text)
        try bench.plant("call.pcm", frames: 150)
        let before = try bench.workspace.files()
        #expect(bench.recover().first?.problems.first?.contains("version 2") == true)
        #expect(try bench.workspace.files() == before)
    }

    /// Numbers, paths and formats never written by Callreel.
    @Test(arguments: [
        ("\"framesReceived\" : 600", "\"framesReceived\" : 9223372036854775807"),
        ("\"framesReceived\" : 600", "\"framesReceived\" : -600"),
        ("\"written\" : 0", "\"written\" : 9223372036854775807"), ("\"lost\" : 0", "\"lost\" : -9223372036854775808"),
        ("\"sampleRate\" : 8000", "\"sampleRate\" : 1"),
        ("\"sampleRate\" : 8000", "\"sampleRate\" : 9223372036854775807"),
        ("\"channels\" : 1", "\"channels\" : 9223372036854775807"), ("\"bytes\" : 0", "\"bytes\" : -1"),
        ("\"start\" : 0", "\"start\" : 9223372036854775807"), ("\"start\" : 0", "\"start\" : -9223372036854775808"),
        ("\"frame\" : 300", "\"frame\" : 9223372036854775807"), ("\"frame\" : 300", "\"frame\" : -9223372036854775808"),
        ("100,", "9223372036854775806,"), ("200", "9223372036854775807"), ("day/call\"", "../../call\""),
        ("day/call\"", "/day/call\""),
        ("\"call.pcm\"", "\"../../call.pcm\""),
        ("\"malformedMessages\" : 0", "\"malformedMessages\" : -9223372036854775808"),
    ])
    func `a damaged manifest traps nobody, and is no reason to lose the audio`(original: String, damaged: String) throws
    {
        let bench = try InterruptedBench()
        var manifest = bench.manifest([bench.sink("probe", [("call.pcm", 0)]).with(silence: [100..<200])], frames: 600)
        manifest.events.append(
            .init(frame: FramePosition(300), at: manifest.startedAt, type: CallEvent.paused, data: [:]))
        let text = String(decoding: try manifest.encoded(), as: UTF8.self)
        try #require(text.contains(original))
        let broken = text.replacing(original, with: damaged)
        try bench.workspace.plant(bench.path("call.json"), broken)
        try bench.plant("call.pcm", frames: 150)
        try bench.workspace.plant("day/published.json", broken)
        let findings = bench.recover()
        #expect(findings.count == 1)
        let index = RecordingIndex()
        index.scan(bench.workspace.path)
        #expect(try bench.problems().contains { $0.hasPrefix("day/published.json: ") })
        // The probe accepts any file of any format, so the name alone tells nothing.
        #expect(try bench.workspace.files().filter { $0.hasSuffix(".pcm") } == [bench.path("call.pcm")])
        #expect(bench.recover(settling: .all).flatMap(\.problems).isEmpty)
        #expect(try bench.workspace.text(".callreel/unrepaired/\(bench.id)/call.pcm").count == 300)
    }
}
