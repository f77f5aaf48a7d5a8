import CallreelCore
import CallreelTesting
import Foundation

/// The server `Tests/store.py` in a process of its own, with an empty directory.
final class StoreProcess: Sendable {
    /// The directory of what was put.
    let directory: URL
    /// The server's address, such as `http://127.0.0.1:40123`.
    let address: String
    private let pid: pid_t

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "store-\(UUID())")
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../store.py")
        let process = Process(), output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", script.path, directory.path]
        process.standardOutput = output
        try process.run()
        pid = process.processIdentifier
        address = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
            .trimmingCharacters(in: .newlines)
    }

    deinit {
        kill(pid, SIGKILL)
        try? FileManager.default.removeItem(at: directory)
    }

    /// Lets the server `fail`, `hang`, or work again with an empty word.
    func turn(_ mode: String) throws {
        try Data(mode.utf8).write(to: directory.appending(path: "mode"), options: .atomic)
    }

    /// The recordings that the server has, with the contents of their files.
    func recordings() throws -> [RecordingID: DeliveryEvidence] {
        let files = FileManager.default, calls = directory.appending(path: "calls")
        guard files.fileExists(atPath: calls.path) else { return [:] }
        var found: [RecordingID: DeliveryEvidence] = [:]
        for call in try files.contentsOfDirectory(at: calls, includingPropertiesForKeys: nil) {
            guard let id = RecordingID(call.lastPathComponent) else { continue }
            let names = try files.contentsOfDirectory(at: call, includingPropertiesForKeys: nil)
            // Without its manifest, a recording has not arrived.
            guard names.contains(where: { $0.pathExtension == "json" }) else { continue }
            found[id] = DeliveryEvidence(files: try names.map { [UInt8](try Data(contentsOf: $0)) })
        }
        return found
    }
}
