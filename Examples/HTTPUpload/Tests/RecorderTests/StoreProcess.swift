import Foundation

/// The server `Tests/store.py` in a process of its own, with an empty directory.
final class StoreProcess {
    /// The directory of what was put.
    let directory: URL
    /// The server's address, such as `http://127.0.0.1:40123`.
    let address: String
    private let process = Process()

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "store-\(UUID())")
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../store.py")
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", script.path, directory.path]
        process.standardOutput = output
        try process.run()
        address = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
            .trimmingCharacters(in: .newlines)
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        try? FileManager.default.removeItem(at: directory)
    }
}
