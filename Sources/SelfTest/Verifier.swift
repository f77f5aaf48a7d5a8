import CallreelCore
import Foundation

/// `callreel verify`, as a user would run it.
enum Verifier {
    /// Returns the problems it finds in an archive.
    static func problems(in recordings: String) async throws -> [String] {
        let process = try ChildProcess(
            ServerProcess.executable, ["verify", recordings], in: recordings, log: recordings.parentPath + "/verify")
        let result = try await process.result()
        if result.status == 0 { return [] }
        return [
            "callreel verify ends with \(result.status): "
                + result.errors.trimmingCharacters(in: .whitespacesAndNewlines)
        ]
    }
}
