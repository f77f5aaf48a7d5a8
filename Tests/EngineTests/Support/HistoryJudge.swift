import CallreelTesting
import Crypto
import Foundation

@testable import CallreelCore
@testable import CallreelEngine

/// Judges what a history left on the disk, from the bytes alone. Uses no code of the engine.
struct HistoryJudge {
    /// The facts of a manifest on which a listener relies.
    private struct Manifest: Decodable {
        struct File: Decodable {
            let name: String
            let directory: String?
            let bytes: Int
            let frames: Int?
            let sha256: String?
        }
        struct Sink: Decodable {
            let name: String
            let written: Int
            let silence: Int
            let masked: Int?
            let skipped: Int?
            let lost: Int
            let files: [File]
        }
        struct Event: Decodable { let type: String }
        let id: String
        let name: String
        let framesReceived: Int
        let sinks: [Sink]
        let events: [Event]
    }

    /// The calls of the history.
    let calls: [(call: KnownCall, promises: [Promises.Promise])]
    /// Files published long before the history, with their content.
    let older: [String: [UInt8]]
    /// True if the program was ended without a power cut: writes survive it.
    let wasKilled: Bool

    /// Returns the broken invariants after a recovery.
    /// - Parameter findings: the report of the recovery.
    func violations(_ image: DiskImage, _ findings: [Recovery.Finding]) -> [String] {
        let files = image.files
        var (found, manifests) = self.manifests(files)
        for (call, promises) in calls {
            let id = call.id.description
            let left = files.filter { $0.key.contains("/.partial/") && $0.key.contains(id) }
            let isReported = findings.contains { $0.directory.hasSuffix(id) && !$0.problems.isEmpty }
            if !left.isEmpty, !isReported { found.append("\(left.keys.sorted()) stay without a word") }
            check(call, promises, manifests[id], left, files, &found)
        }
        let known = Set(calls.map(\.call.id.description))
        for path in files.keys where path.contains("/.partial/") && !known.contains(where: path.contains) {
            found.append("\(path) stays and belongs to no call")
        }
        return found
    }

    /// Returns the broken invariants of published manifests and their files alone.
    func manifestViolations(_ image: DiskImage) -> [String] { manifests(image.files).found }

    /// Reads the published manifests, by their calls, and finds those that do not agree with the files.
    private func manifests(_ files: [String: [UInt8]]) -> (found: [String], manifests: [String: Manifest]) {
        var found: [String] = []
        for (path, content) in older where files[path] != content { found.append("\(path) was lost or changed") }
        var named: Set<String> = [], manifests: [String: Manifest] = [:]
        for (path, content) in files where path.hasSuffix(".json") && !Self.isHidden(path) && older[path] == nil {
            guard let manifest = try? JSONDecoder().decode(Manifest.self, from: Data(content)) else {
                found.append("\(path) is no manifest")
                continue
            }
            if manifests.updateValue(manifest, forKey: manifest.id) != nil {
                found.append("\(manifest.id) is published twice")
            }
            named.insert(path)
            check(manifest, path, files, &named, &found)
        }
        for path in files.keys where !Self.isHidden(path) && older[path] == nil && !named.contains(path) {
            found.append("\(path) is named by nobody")
        }
        return (found, manifests)
    }

    /// Checks that a manifest and its files agree.
    private func check(
        _ manifest: Manifest, _ path: String, _ files: [String: [UInt8]], _ named: inout Set<String>,
        _ found: inout [String]
    ) {
        if path != "\(KnownCall.home)/\(manifest.name).json" { found.append("\(path) has the name \(manifest.name)") }
        for sink in manifest.sinks {
            let sum = sink.written + sink.silence + (sink.masked ?? 0) + (sink.skipped ?? 0) + sink.lost
            if sum != manifest.framesReceived {
                found.append("\(path): \(sum) of \(manifest.framesReceived) frames are in the account of \(sink.name)")
            }
            var frames = 0
            for file in sink.files {
                let place = "\(file.directory ?? KnownCall.home)/\(file.name)"
                if !named.insert(place).inserted { found.append("\(place) is named twice") }
                frames += file.frames ?? 0
                guard let content = files[place] else {
                    found.append("\(place) is missing")
                    continue
                }
                if content.count != file.bytes {
                    found.append("\(place) has \(content.count), not \(file.bytes) bytes")
                }
                if file.sha256 != Self.sha256(content) { found.append("\(place) is not the file of its manifest") }
                if file.name.hasSuffix(".raw"), file.frames != content.count / 2 {
                    found.append("\(place) holds \(content.count / 2), not \(file.frames ?? -1) frames")
                }
            }
            let held = sink.written + sink.silence + (sink.masked ?? 0)
            if held != frames { found.append("\(path): the files of \(sink.name) hold \(frames), not \(held) frames") }
        }
    }

    /// Checks that the audio of a call is there, as far as it was promised.
    private func check(
        _ call: KnownCall, _ promises: [Promises.Promise], _ manifest: Manifest?, _ left: [String: [UInt8]],
        _ files: [String: [UInt8]], _ found: inout [String]
    ) {
        var kept = [0, 0]
        for promise in promises {
            switch promise {
            case .known:
                if manifest == nil, left.isEmpty { found.append("\(call.name) is lost") }
            case .synced(let sink, let bytes): kept[sink] = max(kept[sink], bytes)
            case .written(let sink, let bytes): if wasKilled { kept[sink] = max(kept[sink], bytes) }
            case .published:
                if manifest == nil { found.append("\(call.name) was published and is gone") }
                kept = [Int](repeating: KnownCall.pieceBytes * KnownCall.pieces, count: 2)
            case .updated:
                if manifest?.events.contains(where: { $0.type == "late" }) != true {
                    found.append("the late event of \(call.name) is lost")
                }
            }
        }
        for sink in 0..<2 {
            let audio = call.audio(sink)
            let published = manifest.flatMap { files[call.publishedPath(sink, as: $0.name)] }
            let place = "/.partial/\(call.id)/\(call.fileName(sink))"
            let content = published ?? left.first { $0.key.hasSuffix(place) }?.value ?? []
            // What was not synced may be torn, and may read as zeros.
            let isRight =
                content.count <= audio.count
                && content.indices.allSatisfy {
                    content[$0] == audio[$0] || ($0 >= kept[sink] && content[$0] == 0)
                }
            if !isRight { found.append("the audio of sink \(sink) of \(call.name) was changed") }
            if content.count < kept[sink] {
                found.append("\(content.count) of \(kept[sink]) bytes of sink \(sink) of \(call.name) are there")
            }
        }
    }

    private static func isHidden(_ path: String) -> Bool { path.contains("/.") }

    private static func sha256(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
