import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// A hand-made call of a dead program: its manifest and its files under `.partial`.
struct InterruptedBench {
    let workspace: Workspace
    let store: RecordingStore
    let id = RecordingID()
    /// Bytes of a frame: one channel of 16 bits.
    static let frameBytes = 2

    init() throws {
        workspace = try Workspace()
        store = RecordingStore(directory: workspace.path, template: try NameTemplate("day/call"))
        try FileManager.default.createDirectory(atPath: workspace.file(".partial"), withIntermediateDirectories: true)
    }

    /// The manifest of the running call.
    func manifest(_ sinks: [CallLedger.Sink], frames: Int = 0) -> CallLedger {
        var manifest = CallLedger(
            id: id, name: "day/call", call: CallFacts(carrier: "test", from: "1"), format: .telephone,
            startedAt: Date(timeIntervalSince1970: 1_000_000),
            sinks: sinks)
        manifest.framesReceived = frames
        return manifest
    }

    /// Makes a probe's entry with these files and their first frames.
    func sink(_ name: String = "probe", _ files: [(name: String, start: Int?)] = [], directories: [String]? = nil)
        -> CallLedger.Sink
    {
        var sink = CallLedger.Sink(type: "probe", name: name, state: .recording)
        sink.files = files.map {
            CallLedger.File(
                name: $0.name, directory: directories?.first, bytes: 0, start: $0.start.map(FramePosition.init))
        }
        sink.directories = directories
        return sink
    }

    func path(_ name: String) -> String { ".partial/\(id)/\(name)" }

    func plant(_ account: some CallAccount, as name: String = "call.json") throws {
        try workspace.plant(path(name), String(decoding: try account.encoded(), as: UTF8.self))
    }

    /// Plants a file of so many frames, without silence.
    func plant(_ name: String, frames: Int, in other: Workspace? = nil) throws {
        try (other ?? workspace).plant(path(name), String(repeating: "ab", count: frames))
    }

    /// Sets the time of a file's last change.
    func touch(_ name: String, at seconds: Double) throws {
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: seconds)], ofItemAtPath: workspace.file(path(name)))
    }

    func recover(dryRun: Bool = false, settling: Recovery.Settlement = .none) -> [Recovery.Finding] {
        Recovery(store: store, registry: testRegistry, logger: silentLogger).run(dryRun: dryRun, settling: settling)
    }

    func published(_ name: String = "day/call") throws -> Recording {
        let published = try store.manifest(named: name)
        try workspace.expectManifest(published)
        return published
    }

    /// Verifies the published recordings, and returns the problems.
    func problems() throws -> [String] {
        let verification = Verification(directory: workspace.path, registry: testRegistry)
        let survey = try verification.survey()
        return (survey.problems + survey.recordings.flatMap { verification.check($0).problems }).map(\.description)
    }
}

extension SinkEntry {
    /// Frames written, silenced, masked, skipped and lost.
    var numbers: [Int] { [written, silence, masked ?? 0, skipped ?? 0, lost] }
}

extension CallLedger.Sink {
    /// Returns the same sink with silent, masked and skipped ranges.
    func with(silence: [Range<Int>] = [], masked: [Range<Int>] = [], skipped: [Range<Int>] = []) -> CallLedger.Sink {
        var sink = self
        sink.ranges = SinkRanges()
        sink.ranges?.silence = silence.isEmpty ? nil : FrameRanges(silence)
        sink.ranges?.masked = masked.isEmpty ? nil : FrameRanges(masked)
        sink.ranges?.skipped = skipped.isEmpty ? nil : FrameRanges(skipped)
        return sink
    }
}
