import Crypto
import Foundation

/// Checks published recordings against their manifests: every file, every frame, and that all formats of a call agree.
package struct Verification: Sendable {
    /// Something that is not as its manifest says.
    package struct Problem: Hashable, Sendable, CustomStringConvertible {
        /// The file, relative to the recordings directory.
        package let file: String
        package let reason: String

        package var description: String { "\(file): \(reason)" }
    }

    /// What a check found.
    package struct Result: Sendable {
        package var recordings = 0
        package var files = 0
        package var bytes = 0
        /// Seconds of audio, counted once for each call.
        package var seconds = 0.0
        /// Files that were decoded, and not only measured and hashed.
        package var decoded = 0
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
            problems += other.problems
        }
    }

    /// What stands in a directory, before anything is opened but the manifests.
    package struct Survey: Sendable {
        /// The recordings whose manifests can be read.
        package var recordings: [Recording] = []
        /// Files that no manifest names, and manifests that cannot be read.
        package var problems: [Problem] = []
        /// Calls that are running, or were interrupted and wait for a repair.
        package var unfinished = 0
    }

    private let directory: String
    private let registry: SinkRegistry

    /// Prepares a check of a recordings directory.
    package init(directory: String, registry: SinkRegistry) {
        self.directory = directory
        self.registry = registry
    }

    /// Lists what there is to check, and what belongs to nothing. Blocks.
    package func survey() throws(RecordingError) -> Survey {
        guard FileSystem.isDirectory(directory), let walk = FileManager.default.enumerator(atPath: directory) else {
            throw RecordingError("\(directory) is not a directory", underlying: nil)
        }
        var survey = Survey()
        let partial = directory + "/" + RecordingStore.partialDirectoryName
        survey.unfinished = ((try? FileManager.default.contentsOfDirectory(atPath: partial)) ?? []).count { RecordingID($0) != nil }
        var files: [String] = []
        for case let path as String in walk {
            if (path as NSString).lastPathComponent.hasPrefix(".") {
                walk.skipDescendants()
            } else if !FileSystem.isDirectory(directory + "/" + path) {
                files.append(path)
            }
        }
        var unreadable: [String: String] = [:]
        for path in files where path.hasSuffix(".json") {
            do {
                let recording = try Recording(manifest: Data(contentsOf: URL(fileURLWithPath: directory + "/" + path)))
                survey.recordings.append(recording)
                if recording.name + ".json" != path { unreadable[path] = "is the manifest of \(recording.name)" }
            } catch {
                unreadable[path] = "is not a manifest: \(error)"
            }
        }
        let named = Set(survey.recordings.flatMap { $0.sinks.flatMap(\.files).map(\.name) + [$0.name + ".json"] })
        for path in files.sorted() where !named.contains(path) {
            survey.problems.append(Problem(file: path, reason: unreadable[path] ?? "is named by no manifest"))
        }
        return survey
    }

    /// Checks one recording. Blocks.
    package func check(_ recording: Recording) -> Result {
        var result = Result()
        result.recordings = 1
        result.seconds = recording.seconds
        var whole: [(sink: String, hash: String)] = []
        for sink in recording.sinks {
            guard sink.accounted == recording.framesReceived else {
                let sum = "\(sink.account) + \(sink.lost) lost"
                result.problems.append(
                    Problem(
                        file: recording.name + ".json", reason: "sink \(sink.name): \(sum) frames are not the \(recording.framesReceived) received"))
                continue
            }
            if let hash = check(sink, recording, &result) { whole.append((sink.name, hash)) }
        }
        if let first = whole.first {
            for other in whole where other.hash != first.hash {
                result.problems.append(Problem(file: recording.name, reason: "\(other.sink) and \(first.sink) do not hold the same audio"))
            }
        }
        return result
    }

    /// Checks the files of one sink. Returns the hash of its samples when they must be the call's own, all of them.
    private func check(_ sink: Recording.Sink, _ recording: Recording, _ result: inout Result) -> String? {
        var samples = SHA256()
        var frames = 0
        // Whether every file there is was decoded to its end.
        var isDecoded = !sink.files.isEmpty
        var isComparable = sink.written == recording.framesReceived && sink.format == nil && !sink.files.isEmpty
        for file in sink.files {
            result.files += 1
            let before = result.problems.count
            func problem(_ reason: String) { result.problems.append(Problem(file: file.name, reason: reason)) }
            do {
                let path = RecordingStore.path(file, in: directory)
                let sealed = try FileSystem.measure(path)
                result.bytes += sealed.bytes
                if sealed.bytes != file.bytes { problem("has \(sealed.bytes) bytes, not \(file.bytes)") }
                if sealed.sha256 != file.sha256 { problem("is not the file that was recorded: its SHA-256 is \(sealed.sha256)") }
                let decoded = try registry[sink.type]?.decode(path, sink.format ?? recording.format) { span in
                    unsafe span.withUnsafeBytes { unsafe samples.update(bufferPointer: $0) }
                }
                guard let decoded else {
                    isComparable = false
                    isDecoded = false
                    continue
                }
                result.decoded += 1
                frames += decoded.frames
                if !decoded.isLossless { isComparable = false }
                if let stated = file.frames, decoded.frames != stated { problem("holds \(decoded.frames) frames, not \(stated)") }
            } catch {
                problem("\(error)")
                isDecoded = false
            }
            if result.problems.count > before { isComparable = false }
        }
        let expected = (sink.format ?? recording.format).frames(sink.held, of: recording.format)
        // Each part of a sink with another rate begins with a frame of its own.
        let hasOwnRate = sink.format.map { $0.sampleRate != recording.format.sampleRate } ?? false
        let tolerance = hasOwnRate ? sink.files.count : 0
        if isDecoded, abs(frames - expected) > tolerance {
            let stated = sink.account + (sink.format.map { ", at \($0)" } ?? "")
            let reason = "sink \(sink.name): its files hold \(frames) frames, not the \(stated)"
            result.problems.append(Problem(file: recording.name + ".json", reason: reason))
            isComparable = false
        }
        return isComparable ? samples.finalize().map { String($0, radix: 16) }.joined(separator: " ") : nil
    }
}

extension Recording.Sink {
    /// What stands in its files and what was left out, in words.
    fileprivate var account: String {
        var parts = ["\(written) written", "\(silence) silenced"]
        if let masked { parts.append("\(masked) masked") }
        if let skipped { parts.append("\(skipped) skipped") }
        return parts.joined(separator: " + ")
    }
}
