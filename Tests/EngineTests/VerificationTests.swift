import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// Verification of archives in many states.
@Suite struct VerificationTests {
    /// Publishes a hand-made recording of one file with so many frames.
    private func publish(_ name: String, in workspace: Workspace, change: (inout Recording) -> Void = { _ in }) throws {
        let audio = Data(String(repeating: "ab", count: 100).utf8)
        try workspace.plant(name + ".pcm", String(decoding: audio, as: UTF8.self))
        var sink = Recording.Sink(type: "probe", name: "probe", state: .complete)
        let sealed = try FileSystem.measure(workspace.file(name + ".pcm"))
        sink.files = [
            .init(name: name + ".pcm", bytes: sealed.bytes, frames: 100, start: .start, sha256: sealed.sha256)
        ]
        sink.written = 100
        var recording = Recording(
            id: RecordingID(), name: name, call: CallFacts(carrier: "test"), format: .telephone,
            startedAt: Date(timeIntervalSince1970: 0), ended: (Date(timeIntervalSince1970: 10), "over"))
        recording.sinks = [sink]
        recording.framesReceived = 100
        change(&recording)
        try workspace.plant(name + ".json", String(decoding: try recording.encoded(), as: UTF8.self))
    }

    private func verify(_ path: String, ignored: [String] = Verification.standardIgnored) throws -> Verification.Result
    {
        let verification = Verification(directory: path, registry: testRegistry, ignored: ignored)
        let survey = try verification.survey()
        var result = survey.recordings.reduce(into: Verification.Result()) { $0.add(verification.check($1)) }
        result.problems += survey.problems
        return result
    }

    private func link(_ path: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
    }

    @Test func `links are followed: to the archive, to a day on another disk, and to a single file`() throws {
        let workspace = try Workspace(), disk = try Workspace()
        for name in ["moved/call", "here/call", "here/other"] { try publish(name, in: workspace) }
        try FileManager.default.moveItem(atPath: workspace.file("moved"), toPath: disk.file("day"))
        try link(workspace.file("moved"), to: disk.file("day"))
        try FileManager.default.moveItem(atPath: workspace.file("here/other.pcm"), toPath: disk.file("other.pcm"))
        try link(workspace.file("here/other.pcm"), to: disk.file("other.pcm"))
        try link(disk.file("archive"), to: workspace.path)
        for path in [workspace.path, disk.file("archive"), disk.file("archive/")] {
            let result = try verify(path)
            #expect(result.recordings == 3 && result.files == 3 && result.problems == [], "\(path)")
        }
        try disk.plant("day/call.pcm", "damaged")
        try disk.plant("other.pcm", "damaged")
        #expect(Set(try verify(workspace.path).problems.map(\.file)) == ["moved/call.pcm", "here/other.pcm"])
    }

    @Test func `links in a circle end, and a directory with two names is listed once`() throws {
        let workspace = try Workspace()
        try publish("day/call", in: workspace)
        try link(workspace.file("day/again"), to: workspace.path)
        try link(workspace.file("a-second-name"), to: "day")
        let result = try verify(workspace.path)
        #expect(result.recordings == 1 && result.problems == [])
    }

    @Test func `what cannot be looked at is named`() throws {
        let workspace = try Workspace()
        try publish("day/call", in: workspace)
        try link(workspace.file("nowhere"), to: "/nowhere/at/all")
        try link(workspace.file("circle"), to: "circle")
        try publish("day/pipe", in: workspace)
        try FileManager.default.removeItem(atPath: workspace.file("day/pipe.pcm"))
        #expect(unsafe mkfifo(workspace.file("day/pipe.pcm"), 0o600) == 0)
        #expect(try verify(workspace.path).problems.map(\.file).sorted() == ["circle", "day/pipe.pcm", "nowhere"])
    }

    @Test func `names that file systems keep for themselves are passed over, and those that the operator names`() throws
    {
        let workspace = try Workspace()
        try publish("day/call", in: workspace)
        for name in ["lost+found/#123", "@eaDir/x", "day/Thumbs.db", ".snapshot/old.wav"] {
            try workspace.plant(name, "x")
        }
        #expect(try verify(workspace.path).problems == [])
        try workspace.plant("notes/contract.pdf", "x")
        try workspace.plant("day/list.txt", "x")
        #expect(try verify(workspace.path).problems.map(\.file) == ["day/list.txt", "notes/contract.pdf"])
        #expect(
            try verify(workspace.path, ignored: ["*.pdf", "list.txt", "lost+found", "@eaDir", "Thumbs.db"]).problems
                == [])
        #expect(try verify(workspace.path, ignored: []).problems.count == 5)
    }

    @Test func `files in a sink's own directory that no manifest names are found`() throws {
        let workspace = try Workspace(), disk = try Workspace()
        try publish("day/call", in: workspace) { $0.sinks[0].files[0].directory = disk.path }
        try FileManager.default.createDirectory(atPath: disk.file("day"), withIntermediateDirectories: true)
        try FileManager.default.moveItem(atPath: workspace.file("day/call.pcm"), toPath: disk.file("day/call.pcm"))
        #expect(try verify(workspace.path).problems == [])
        try disk.plant("day/old.pcm", "audio that nothing knows")
        // A file of the same name in the recordings directory is a different file.
        try workspace.plant("day/call.pcm", "no manifest says that it is here")
        #expect(try verify(workspace.path).problems.map(\.file) == [disk.file("day/old.pcm"), "day/call.pcm"].sorted())
    }

    @Test func `recordings that a sink does not hold whole are counted, and no problems`() throws {
        let workspace = try Workspace()
        try publish("whole", in: workspace)
        try publish("lost", in: workspace) { recording in
            recording.framesReceived = 150
            recording.sinks[0].lost = 50
        }
        try publish("failed", in: workspace) { $0.sinks[0].state = .failed }
        try publish("stalled", in: workspace) { $0.sinks[0].state = .stalled }
        let result = try verify(workspace.path)
        #expect(result.recordings == 4 && result.incomplete == 3 && result.problems == [])
    }

    @Test(arguments: [
        "its silence ranges are 5 frames, not 0", "its lost ranges end at frame 160, after the 150 received",
        "its ranges overlap",
        "the frames 100..<110, after its last file, are not accounted for",
        "its files hold 10 frames that it states as skipped or lost",
        "call.pcm begins at frame 20, before", "10 silent frames are in no file",
    ])
    func `ranges that do not add up are found`(reason: String) throws {
        let workspace = try Workspace()
        try publish("call", in: workspace) { recording in
            recording.framesReceived = 150
            recording.sinks[0].lost = 50
            var ranges = SinkRanges()
            ranges.lost = FrameRanges([100..<150])
            switch reason.prefix(7) {
            case "its sil": ranges.silence = FrameRanges([0..<5])
            case "its los": ranges.lost = FrameRanges([110..<160])
            case "its ran":
                ranges.masked = FrameRanges([90..<110])
                recording.sinks[0].masked = 20
                recording.sinks[0].written = 80
            case "the fra": ranges.lost = FrameRanges([0..<10, 110..<150])
            case "its fil": ranges.lost = FrameRanges([90..<100, 110..<150])
            case "call.pc":
                recording.sinks[0].files[0].start = FramePosition(20)
                recording.sinks[0].files.insert(recording.sinks[0].files[0], at: 0)
                recording.sinks[0].files[0].start = .start
            default:
                ranges.lost = FrameRanges([100..<140])
                ranges.silence = FrameRanges([140..<150])
                recording.sinks[0].lost = 40
                recording.sinks[0].silence = 10
                recording.sinks[0].written = 100
            }
            recording.sinks[0].ranges = ranges
        }
        let problems = try verify(workspace.path).problems.map(\.reason)
        #expect(problems.contains { $0.contains(reason) }, "\(problems)")
    }

    /// A server links a call's files first and its manifest last.
    @Test func `an archive that calls are published to and deleted from meanwhile raises no alarm`() async throws {
        let bench = try StoreBench(template: "{id}")
        let isOver = Mutex(false)
        async let recording: Void = BlockingExecutor(name: "record").run {
            for number in 0..<300 {
                guard let published = try? bench.call(["raw": "raw \(number)", "flac": "flac \(number)"]).publish()
                else { continue }
                guard number % 3 == 0 else { continue }
                for ending in ["json", "raw", "flac"] {
                    FileSystem.removeName(bench.workspace.file("\(published.name).\(ending)"))
                }
            }
            isOver.withLock { $0 = true }
        }
        let problems = await BlockingExecutor(name: "verify").run { () -> Set<String> in
            var problems: Set<String> = []
            while !isOver.withLock({ $0 }) {
                let verification = Verification(directory: bench.workspace.path, registry: testRegistry)
                guard let survey = try? verification.survey() else { continue }
                problems.formUnion(survey.problems.map(\.description))
            }
            return problems
        }
        await recording
        #expect(problems == [])
    }
}
