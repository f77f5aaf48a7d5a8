import Foundation

/// The server `Tests/receiver.py` in a process of its own.
final class ReceiverProcess {
    /// The server's address, such as `http://127.0.0.1:40123`.
    let address: String
    private let process = Process()

    init() throws {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../receiver.py")
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", script.path]
        process.standardOutput = output
        try process.run()
        address = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
            .trimmingCharacters(in: .newlines)
    }

    deinit { kill(process.processIdentifier, SIGKILL) }
}
