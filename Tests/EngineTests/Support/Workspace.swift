import Foundation
import Logging
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// A test's own directory. It is removed with this object.
final class Workspace: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/callreel-core-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Returns the path of a file in this directory.
    func file(_ name: String) -> String { path + "/" + name }

    /// Makes a file with this text, and the directories above it.
    func plant(_ name: String, _ text: String) throws {
        try FileManager.default.createDirectory(
            atPath: (file(name) as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
    }

    func text(_ name: String) throws -> String { String(decoding: try data(name), as: UTF8.self) }

    func data(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: file(name))) }

    func mode(_ name: String) throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: file(name))[.posixPermissions] as? Int)
    }

    /// Returns every file under this directory, hidden ones too, sorted. Of directories, only empty ones are listed.
    func files() throws -> [String] {
        let all = try FileManager.default.subpathsOfDirectory(atPath: path)
        return all.filter { path in !all.contains { $0.hasPrefix(path + "/") } }.sorted()
    }
}

/// Waits for a condition. The bound is far above any machine's need, so that only a fault reaches it.
func until(
    _ what: Comment, isolation: isolated (any Actor)? = #isolation, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while try !condition() {
        try #require(ContinuousClock.now < deadline, what, sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(1))
    }
}

/// A log handler that keeps each message.
struct LogBook: LogHandler {
    let entries: Collected<String>
    /// Each message with its metadata.
    var everything = Collected<String>()
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        entries.append("\(event.message)")
        everything.append("\(event.message) \(metadata.merging(event.metadata ?? [:]) { _, new in new })")
    }
}

/// A log without output.
let silentLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

extension Workspace {
    /// Makes the context of a call for a sink, with files called `call` in this directory.
    func context(mode: Int = 0o640, stem: String = "call") -> SinkContext {
        context(format: .telephone, directory: SinkDirectory(path: path, fileStem: stem, fileMode: mode))
    }

    /// Makes the context of a call for a sink, with files in a directory of its own.
    func context(in directory: String) -> SinkContext {
        context(format: .telephone, directory: SinkDirectory(path: directory, fileStem: "call"))
    }

    private func context(format: AudioFormat, directory: SinkDirectory) -> SinkContext {
        SinkContext(
            recording: RecordingFacts(id: RecordingID(), call: CallFacts(carrier: "test"), startedAt: Date()),
            format: format, sinkName: "test", directory: directory, logger: silentLogger)
    }

    /// Makes a place for a sink that writes part after part.
    func place(stem: String = "call", format: AudioFormat = .telephone) -> SinkPlace {
        SinkPlace(
            context(format: format, directory: SinkDirectory(path: path, fileStem: stem)),
            guardian: DirectoryGuardian())
    }
}

extension Workspace {
    /// Expects the published manifest of a recording to keep the promise of its schema.
    func expectManifest(_ recording: Recording, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let problems = try ManifestSchema.problems(data(recording.name + ".json"))
        #expect(problems.isEmpty, "\(recording.name)", sourceLocation: sourceLocation)
    }
}
