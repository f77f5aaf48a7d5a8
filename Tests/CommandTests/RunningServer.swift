import CallreelCore
import Foundation
import TestSupport
import Testing

/// `callreel serve` as a process, in its own directory, on a free port.
final class RunningServer: Sendable {
    let directory: TemporaryDirectory
    let program: RunningProgram
    /// The page's address, without its last slash.
    let url: String

    /// Starts a server and waits until it reports its page.
    init(
        _ arguments: String..., configuration: String = configuration,
        in directory: TemporaryDirectory = TemporaryDirectory()
    ) async throws {
        self.directory = directory
        try configuration.write(toFile: directory.path + "/callreel.json", atomically: true, encoding: .utf8)
        let program = try Program.callreel.start(
            ["serve", "--config", "callreel.json", "--port", "0"] + arguments, in: directory.path)
        self.program = program
        url = try await program.page()
    }

    static let configuration =
        #"{"recordings": {"directory": "recordings"}, "sinks": [{"type": "wav"}, {"type": "flac"}, {"type": "raw"}]}"#

    /// For calls straight to the WebSocket.
    static let trusting = String(configuration.dropLast()) + #", "vonage": {"requireToken": false}}"#

    /// Waits for this number of finished recordings, and returns them.
    func finished(_ count: Int) async throws -> [Recording] {
        try await eventually("\(count) finished recordings") {
            let manifests = directory.files(in: "recordings").filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }
            guard manifests.count >= count else { return nil }
            return try manifests.map { name in
                let data = try Data(contentsOf: URL(fileURLWithPath: directory.path + "/recordings/" + name))
                #expect(try ManifestSchema.problems(data) == [], "\(name)")
                return try Recording(json: data)
            }
        }
    }

    /// Returns the path of every file of a recording.
    func paths(_ recording: Recording) -> [String] {
        recording.sinks.flatMap(\.files).map { directory.path + "/recordings/" + $0.name }
    }
}

extension RunningProgram {
    /// Waits until a server reports its page's address, and returns it without its last slash.
    func page() async throws -> String {
        let line = try await eventually("the line with the page's address") {
            text.split(separator: "\n").first {
                $0.hasPrefix("Callreel ") && $0.contains(": http") && $0.hasSuffix("/")
            }
        }
        return String(line.drop { $0 != ":" }.dropFirst(2).dropLast())
    }
}
