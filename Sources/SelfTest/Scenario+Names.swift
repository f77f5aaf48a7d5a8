import CallreelCore
import Foundation

extension Scenario {
    static let names = Scenario(
        name: "names", summary: "hostile callers' numbers, and calls with the same name"
    ) { bench in
        let callers = [
            "../../etc/x", "/etc/x", "a\u{0}b", "a\nb\r\nc", "\u{1F4DE}\u{202E}", String(repeating: "9", count: 300),
            "..", ".hidden", "447700900123",
            "447700900123",
        ]
        var settings = ServerProcess.Settings()
        settings.sections = [
            "recordings": .object(["directory": "recordings", "name": "same/{from|unknown}", "mode": "0600"])
        ]
        let server = try await ServerProcess(in: bench.directory + "/server", settings, fault: bench.fault)
        let before = try FileManager.default.subpathsOfDirectory(atPath: bench.directory)
        let calls = try await withThrowingTaskGroup(of: TestCall.self) { tasks in
            for (index, caller) in callers.enumerated() {
                tasks.addTask {
                    let call = try await TestCall.open(index + 1, to: server, from: caller)
                    try await call.send(8000 + index, .maximum)
                    _ = try await call.hangUp()
                    return call
                }
            }
            return try await tasks.reduce(into: []) { $0.append($1) }
        }
        let found = try await server.published(callers.count)
        let status = try await server.stop()
        try bench.fault?.spoil(found)
        let published = try PublishedCall.all(in: server.recordings)
        var rows: [Row] = []
        for name in ["wav", "flac", "raw"] {
            var row = Row("names", name)
            for call in calls.sorted(by: { $0.signal.call < $1.signal.call }) {
                guard let found = published.first(where: { $0.number == call.signal.call }) else {
                    row.add(sent: call.sent, held: 0, allowed: 0, problem: "call \(call.signal.call) was not published")
                    continue
                }
                found.check(name, sent: call.sent, into: &row)
            }
            rows.append(row)
        }
        var run = Row("names", "the directory", calls: callers.count)
        run.expect(status == 0, "SIGTERM ended the server with \(status)")
        let after = try FileManager.default.subpathsOfDirectory(atPath: bench.directory)
        let strangers = after.filter { !$0.hasPrefix("server/recordings/") && !before.contains($0) }
        run.expect(strangers.isEmpty, "files are outside the recordings directory: \(strangers)")
        let files = after.filter { $0.hasPrefix("server/recordings/same/") }
        run.expect(files.count == 4 * callers.count, "there are \(files.count) files, not \(4 * callers.count)")
        for file in files {
            let mode =
                try FileManager.default.attributesOfItem(atPath: bench.directory + "/" + file)[.posixPermissions]
                as? NSNumber
            run.expect(mode?.intValue == 0o600, "\(file) has the mode \(String(mode?.intValue ?? 0, radix: 8))")
        }
        run.problems += try await Verifier.problems(in: server.recordings)
        return Report(rows: rows + [run])
    }
}
