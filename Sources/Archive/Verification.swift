package import CallreelCore
import Foundation

/// Checks published recordings against their manifests: every file, every frame, and the agreement of a call's formats.
package struct Verification: Sendable {
    /// A file or manifest with a fault, and the reason.
    package struct Problem: Hashable, Sendable, CustomStringConvertible {
        /// The path of the file, relative to the recordings directory if it is under it.
        package let file: String
        package let reason: String

        package var description: String { "\(file): \(reason)" }
    }

    /// Counts and problems from a check.
    package struct Result: Sendable {
        package var recordings = 0
        package var files = 0
        package var bytes = 0
        /// Seconds of audio, counted once for each call.
        package var seconds = 0.0
        /// Files that were decoded, besides being measured and hashed.
        package var decoded = 0
        /// Recordings with a failed or stalled sink, or with a sink that lacks audio, as stated in their own manifests.
        package var incomplete = 0
        package var problems: [Problem] = []

        /// Makes an empty result.
        package init() {}

        /// Adds another result.
        package mutating func add(_ other: Result) {
            recordings += other.recordings
            files += other.files
            bytes += other.bytes
            seconds += other.seconds
            decoded += other.decoded
            incomplete += other.incomplete
            problems += other.problems
        }
    }

    let directory: String
    let registry: SinkRegistry
    /// Patterns of ignored names, in shell syntax.
    let ignored: [String]

    /// Prepares a check of a recordings directory.
    /// - Parameter ignored: patterns of ignored names, as in `*.pdf`.
    package init(directory: String, registry: SinkRegistry, ignored: [String] = Verification.standardIgnored) {
        self.directory = directory.count > 1 && directory.hasSuffix("/") ? String(directory.dropLast()) : directory
        self.registry = registry
        self.ignored = ignored
    }

    /// Checks one recording. Blocks.
    ///
    /// A server may change the recording meanwhile. If the check finds a problem and the manifest has changed,
    /// the new manifest is checked. If the manifest and all its files were deleted, the result is empty.
    package func check(_ recording: Recording) -> Result {
        let result = checkOnce(recording)
        guard !result.problems.isEmpty else { return result }
        let path = manifestPath(recording)
        if FileStatus.isMissing(path) {
            // If all files are gone and the folder is not, the recording was deleted since it was listed.
            // That is no problem. Otherwise, the recording is judged as it is.
            let folder = path.parentPath
            return recording.sinks.flatMap(\.files).allSatisfy {
                FileStatus.isMissing(RecordingLayout.path($0, in: directory))
            }
                && !FileStatus.isMissing(folder) ? Result() : result
        }
        guard let data = try? FileSystem.contents(path), let now = try? Recording(json: data),
            now.id == recording.id,
            (try? now.encoded()) != (try? recording.encoded())
        else { return result }
        return checkOnce(now)
    }

    private func checkOnce(_ recording: Recording) -> Result {
        var result = Result()
        result.recordings = 1
        result.seconds = recording.seconds
        if recording.isIncomplete { result.incomplete = 1 }
        let file = recording.name + ".json"
        var comparison = TimelineComparison(recording)
        for sink in recording.sinks {
            result.problems += sink.accountProblems(in: recording).map {
                Problem(file: file, reason: "sink \(sink.name): \($0)")
            }
            check(sink, recording, &comparison, &result)
        }
        result.problems += comparison.problems.map { Problem(file: recording.name, reason: $0) }
        for file in recording.deliveries?.flatMap({ $0.files ?? [] }) ?? [] {
            result.files += 1
            do throws(DiskError) {
                _ = try measure(file.name, at: "\(directory)/\(file.name)", (file.bytes, file.sha256), &result)
            } catch {
                result.problems.append(Problem(file: file.name, reason: "\(error)"))
            }
        }
        return result
    }

    /// Compares a file with the length and the hash that a manifest states.
    /// - Returns: the file's own path.
    private func measure(
        _ name: String, at path: String, _ stated: (bytes: Int, sha256: String), _ result: inout Result
    ) throws(DiskError) -> String {
        // An archive may contain links to directories or files on another disk.
        let path = FileSystem.resolved(path)
        guard try FileStatus(path).kind == .file else { throw DiskError("\(path) is not a file") }
        let sealed = try FileSystem.measure(path)
        result.bytes += sealed.bytes
        if sealed.bytes != stated.bytes {
            result.problems.append(Problem(file: name, reason: "has \(sealed.bytes) bytes, not \(stated.bytes)"))
        }
        if sealed.sha256 != stated.sha256 {
            let reason = "differs from the recorded file: its SHA-256 is \(sealed.sha256)"
            result.problems.append(Problem(file: name, reason: reason))
        }
        return path
    }

    /// Checks the files of one sink.
    private func check(
        _ sink: Recording.Sink, _ recording: Recording, _ comparison: inout TimelineComparison, _ result: inout Result
    ) {
        var frames = 0
        // True when every file so far was decoded to its end.
        var isDecoded = !sink.files.isEmpty
        comparison.begin(sink)
        for (index, file) in sink.files.enumerated() {
            result.files += 1
            let before = result.problems.count
            func problem(_ reason: String) { result.problems.append(Problem(file: file.name, reason: reason)) }
            do {
                let path = try measure(
                    file.name, at: RecordingLayout.path(file, in: directory), (file.bytes, file.sha256), &result)
                comparison.beginFile(index)
                let decoded = try registry[sink.type]?.decode(path, sink.format ?? recording.format) {
                    comparison.add($0)
                }
                guard let decoded else {
                    isDecoded = false
                    comparison.dropFile()
                    continue
                }
                result.decoded += 1
                frames += decoded.frames
                if let stated = file.frames, decoded.frames != stated {
                    problem("holds \(decoded.frames) frames, not \(stated)")
                }
                if decoded.isLossless, result.problems.count == before {
                    comparison.endFile()
                } else {
                    comparison.dropFile()
                }
            } catch {
                problem("\(error)")
                isDecoded = false
                comparison.dropFile()
            }
        }
        let expected = (sink.format ?? recording.format).frames(sink.held, of: recording.format)
        if isDecoded, abs(frames - expected) > sink.tolerance(in: recording) {
            let stated = sink.account + (sink.format.map { ", at \($0)" } ?? "")
            let reason = "sink \(sink.name): its files hold \(frames) frames, not the \(stated)"
            result.problems.append(Problem(file: recording.name + ".json", reason: reason))
        }
    }
}

extension Recording {
    /// True when the manifest itself reports missing audio.
    package var isIncomplete: Bool {
        sinks.contains { $0.lost > 0 || $0.silence > 0 || $0.state == .failed || $0.state == .stalled }
    }
}
