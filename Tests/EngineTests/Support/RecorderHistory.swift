import CallreelSinks
import CallreelTesting
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// Histories of a whole recorder with the built-in sinks on a simulated disk: its threads, lease, ledger and C codecs.
///
/// One call is recorded per history, in real time. A directory of its own holds the FLAC. Threads take turns as they
/// like, so the order of operations differs from run to run. Each order that comes up is a legal history.
struct RecorderHistory {
    static let home = "/archive", far = "/far", format = AudioFormat.telephone
    static let facts = CallFacts(carrier: "test", uuid: "U")
    /// Frames that the source delivers at once. The third delivery falls into a pause.
    static let pieceFrames = 800, pieces = 5, pausedPiece = 2

    /// What one run of the recorder left and said.
    struct Run {
        let result: Result<Recording, DiskError>
        /// Number of disk operations when the recorder reported the call's publication.
        let published: Int
        /// Number of operations after which the late event was in the manifest.
        let amended: Int

        /// The outcome of each sink, for a failed expectation.
        var summary: String {
            switch result {
            case .failure(let error): "\(error)"
            case .success(let recording):
                recording.sinks.map {
                    "\($0.name) \($0.state), \($0.written) + \($0.silence) + \($0.masked ?? 0) + \($0.lost), \($0.error ?? "")"
                }.joined(separator: "; ")
            }
        }
    }

    /// The audio that files must have. Paused frames read as silence. No other frame does.
    static let audio: [Int16] = (0..<pieceFrames * pieces).map {
        $0 / pieceFrames == pausedPiece ? 0 : Int16($0 % 3000 * 7 + 1)
    }

    static func store() throws -> RecordingStore {
        RecordingStore(directory: home, template: try NameTemplate("day/call"))
    }

    /// Makes a disk with both directories.
    static func start() throws -> DiskImage {
        let disk = SimulatedDisk()
        try FileSystem.$disk.withValue(disk) {
            for root in [home, far] { try FileSystem.makeDirectories(root + "/.partial", mode: 0o755) }
        }
        return disk.image.synchronized()
    }

    private static func recorder() throws -> Recorder {
        let text = #"""
            [{"type": "wav", "checkpoint": 0.1}, {"type": "raw", "sync": 0.1},
             {"type": "flac", "directory": "\#(far)", "checkpoint": 0.1, "finishLimit": 1}]
            """#
        var problems: [ConfigurationProblem] = []
        let plans = SinkPlan.read(try JSONValue.parse(text), at: .root, registry: .builtIn, problems: &problems)
        try #require(problems.isEmpty, "\(problems)")
        return Recorder(
            store: try store(), settings: RecorderSettings(sinks: plans, pauseGuard: 0), registry: .builtIn,
            catalogue: RecordingIndex(), logger: silentLogger)
    }

    /// Records and publishes the call, adds a late event, and ends the recorder.
    /// - Parameter hurries: ends the time limit of the last sink as soon as the others have ended.
    static func record(on disk: SimulatedDisk, hurries: Bool = false) async throws -> Run {
        try await FileSystem.$disk.withValue(disk) {
            let recorder = try recorder()
            do throws(DiskError) {
                try await recorder.prepare()
            } catch {
                return Run(result: .failure(error), published: .max, amended: .max)
            }
            let running = recorder.begin(CallStart(facts, format: format), source: TestSource())
            let session = running.session
            for piece in 0..<pieces {
                if piece == pausedPiece { session.pause(true) }
                if piece == pausedPiece + 1 { session.pause(false) }
                _ = session.receive(
                    Array(audio[piece * pieceFrames..<(piece + 1) * pieceFrames]).map { $0 == 0 ? 9 : $0 })
                if piece == 1 { session.note("dtmf", data: ["digit": "5"]) }
                // Time for a checkpoint and a sync. Then sinks write what is there, so that cuts fall between the writes. A sink that hangs is not awaited.
                if !hurries { try await Task.sleep(for: .milliseconds(110)) }
                let deadline = ContinuousClock.now + .milliseconds(hurries ? 20 : 1000)
                while ContinuousClock.now < deadline, session.sinks.contains(where: { $0.queue.queuedFrames > 0 }) {
                    try await Task.sleep(for: .milliseconds(1))
                }
            }
            session.end("over")
            let hurry = Task {
                while hurries, !Task.isCancelled {
                    if session.sinks.prefix(2).allSatisfy({ $0.report != nil }) {
                        session.tick(now: .now + .seconds(3600))
                    }
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            let result = await running.result.value
            hurry.cancel()
            let published = disk.operationCount
            await recorder.note("late", data: ["key": "7"], of: facts)
            let amended = disk.operationCount
            if !hurries { await recorder.close() }
            return Run(
                result: result, published: (try? result.get()) == nil ? .max : published,
                amended: (try? result.get()) == nil ? .max : amended)
        }
    }

    /// Recovers the disk of the next start as a server does, and returns the broken invariants.
    /// - Parameters:
    ///   - before: the number of operations before the end of the first program.
    ///   - mayHaveHoles: the next start comes after a power cut that kept some of the writes not synced.
    ///   - clocks: the clocks of the next start.
    static func violations(
        _ image: DiskImage, _ run: Run?, before: Int, mayHaveHoles: Bool = false, _ clocks: ManualClocks
    ) throws -> [String] {
        let disk = SimulatedDisk(image)
        return try HistoryBench.with(disk, clocks) {
            var found: [String] = []
            let index = RecordingIndex()
            func recover() throws -> [Recovery.Finding] {
                clocks.advance(by: 3600)
                try store().removeLeftovers()
                let lease = Lease(directory: home + "/.partial")
                try lease.begin()
                defer { lease.end() }
                let leases = Leases(own: lease, directory: home + "/.partial")
                return Recovery(
                    store: try store(), registry: .builtIn, roots: [far], leases: leases, logger: silentLogger
                ).run(onRecovery: { index.add($0) })
            }
            let findings = try recover()
            let first = disk.image
            let again = try recover()
            let (one, two) = (content(first), content(disk.image))
            if one != two {
                let changed = Set(one.keys).union(two.keys).filter { one[$0] != two[$0] }.sorted()
                found.append("a second recovery changed \(changed)")
            }
            if again.contains(where: { $0.outcome == .published }) { found.append("a second recovery published") }
            found += try judge(first, image, findings, mayHaveHoles: mayHaveHoles)
            // The archive's own view.
            let fresh = RecordingIndex()
            fresh.scan(home)
            if index.count > fresh.count { found.append("the scan finds fewer recordings than were recovered") }
            let verification = Verification(directory: home, registry: .builtIn), survey = try verification.survey()
            found += survey.problems.map(\.description)
            // Of writes that were not synced, a power cut may take any, and leave zeros in their place.
            found += survey.recordings.flatMap { verification.check($0).problems.map(\.description) }.filter {
                !mayHaveHoles
                    || !$0.contains("do not hold the same audio") && !$0.contains("call.flac: a block")
                        && !$0.contains("call.flac: no whole block")
            }
            if fresh.count != survey.recordings.count { found.append("scan and survey differ") }
            let recording = survey.recordings.first
            if let run, before >= run.published {
                if recording?.framesReceived != audio.count
                    || recording?.sinks.contains(where: { $0.lost > 0 }) != false
                {
                    found.append("audio of a published recording is lost")
                }
            }
            if let run, before >= run.amended, recording?.events.contains(where: { $0.type == "late" }) != true {
                found.append("the late event is lost")
            }
            return found
        }
    }

    /// The files and directories, without the leases of servers.
    private static func content(_ image: DiskImage) -> [String: [UInt8]] {
        image.files.filter { !$0.key.contains("/.partial/server-") }
    }

    /// Judges the bytes on the disk, without the engine's code.
    /// - Parameter before: the disk that the recovery found.
    private static func judge(
        _ image: DiskImage, _ before: DiskImage, _ findings: [Recovery.Finding], mayHaveHoles: Bool
    )
        throws -> [String]
    {
        var found = HistoryJudge(calls: [], older: [:], wasKilled: false).manifestViolations(image)
        let files = image.files, left = files.keys.filter { $0.contains("/.partial/") && !$0.contains("/server-") }
        // The call's own directory may never have reached the disk. A file on another disk is then left alone.
        let isKnown = before.files.contains { path, content in
            guard path.hasPrefix(home + "/.partial/") else { return false }
            let name = path.dropFirst(home.count + "/.partial/".count).prefix { $0 != "/" }
            let isCall = RecordingID(name.hasPrefix("new-") ? String(name.dropFirst(4)) : String(name)) != nil
            return isCall && (!path.contains(".json") || (try? JSONValue(parsing: Data(content))) != nil)
        }
        if isKnown, !left.isEmpty, !findings.contains(where: { !$0.problems.isEmpty }) {
            found.append("\(left.sorted()) stay without a word")
        }
        for (path, content) in files where !path.contains("/.") {
            let samples: ArraySlice<UInt8>
            switch path.pathExtension {
            case "raw": samples = content[...]
            // A header with zeros may name another place as the beginning of the audio.
            case "wav": samples = mayHaveHoles ? [] : dataChunk(content)
            default: continue
            }
            let expected = audio.prefix(samples.count / 2).flatMap {
                [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)]
            }
            // What was written and not synced may read as zeros after a power cut.
            if zip(samples, expected).contains(where: { $0 != $1 && $0 != 0 }) || samples.count > audio.count * 2 {
                found.append("\(path) has other audio than the call")
            }
        }
        // A recovery keeps all audio that was on the disk, but for zeros at the end.
        if let raw = before.files.first(where: { $0.key.contains("/.partial/") && $0.key.hasSuffix(".raw") }) {
            let trimmed = Array(raw.value.prefix(1 + (raw.value.lastIndex { $0 != 0 } ?? -1)))
            let kept = files.first { $0.key.hasSuffix(".raw") && !$0.key.contains("/.partial/") }?.value ?? []
            if kept.count < trimmed.count / 2 * 2 {
                found.append("\(kept.count) of \(trimmed.count) bytes of raw audio are kept")
            }
        }
        return found
    }

    /// Returns the content of a RIFF file's data chunk.
    private static func dataChunk(_ file: [UInt8]) -> ArraySlice<UInt8> {
        var offset = 12
        while offset + 8 <= file.count {
            let size = (0..<4).reduce(0) { $0 | Int(file[offset + 4 + $1]) << (8 * $1) }
            if Array(file[offset..<offset + 4]) == Array("data".utf8) { return file[(offset + 8)...].prefix(size) }
            offset += 8 + size + size % 2
        }
        return []
    }
}
