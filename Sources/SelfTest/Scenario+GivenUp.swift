import CallreelCore
import Foundation

extension Scenario {
    static let givenUp = Scenario(
        name: "given-up",
        summary:
            "a sink that does not finish; its recording is published, checked, deleted by hand, and stays deleted"
    ) { bench in
        var report = Report()
        for (index, isDeleted) in [false, true].enumerated() {
            let directory = "\(bench.directory)/\(index)"
            var settings = ServerProcess.Settings()
            settings.sinks.append(ServerProcess.Settings.program("never", "cat > \"$1\"; sleep 600", finishLimit: 1))
            let server = try await ServerProcess(in: directory, settings, fault: bench.fault)
            let call = try await TestCall.open(1, to: server)
            try await call.send(TestSignal.format.frames(seconds: 2), .live)
            let code = try await call.hangUp()
            let found = try await server.published(1)
            if isDeleted {
                for name in try FileManager.default.subpathsOfDirectory(atPath: server.recordings)
                where !name.hasPrefix(".") {
                    if !isDirectory(server.recordings + "/" + name) {
                        try FileManager.default.removeItem(atPath: server.recordings + "/" + name)
                    }
                }
            }
            server.process.signal(SIGKILL)
            _ = try await server.process.result()
            // The next start finishes the interrupted call, if it can.
            let next = try await ServerProcess(in: directory, settings, fault: bench.fault)
            _ = try? await eventually("an end of the recovery", seconds: 15) {
                try next.unfinishedCalls().isEmpty ? true : nil
            }
            _ = try await next.stop()
            try bench.fault?.spoil(found)
            let published = try PublishedCall.all(in: server.recordings)
            if isDeleted {
                var row = Row("given-up", "a recording deleted by hand", calls: 1)
                row.expect(published.isEmpty, "the next start published it again")
                report.rows.append(row)
                continue
            }
            for name in ["wav", "flac", "raw"] {
                var row = Row("given-up", "\(name), beside a sink that does not finish")
                published.first?.check(name, sent: call.sent, into: &row)
                row.expect(!published.isEmpty, "the recording is missing")
                report.rows.append(row)
            }
            var run = Row("given-up", "the server", calls: 1)
            run.expect(code == 1000, "the call was closed with \(code.map(String.init) ?? "no code")")
            let state = published.first?.sink("never")?.state
            run.expect(state != .complete, "the sink that does not finish is stated as complete")
            run.problems += try await Verifier.problems(in: server.recordings)
            report.rows.append(run)
        }
        return report
    }
}

extension ServerProcess.Settings {
    /// Returns an `exec` sink whose shell script writes the file at `$1`.
    static func program(_ name: String, _ script: String, finishLimit: Double) -> JSONValue {
        .object([
            "type": "exec", "name": .string(name),
            "command": .array(["sh", "-c", .string(script), "selftest", "{output}"]), "extension": "bin",
            "input": "pcm", "stallLimit": 1, "finishLimit": .number(finishLimit),
            "deadline": .number(finishLimit * 100),
        ])
    }
}

extension ServerProcess {
    /// Returns the directories of running and interrupted calls.
    func unfinishedCalls() throws -> [String] {
        let partial = recordings + "/" + RecordingLayout.partialDirectoryName
        return try FileManager.default.contentsOfDirectory(atPath: partial).filter { RecordingID($0) != nil }
    }
}

/// Returns true if the path is a directory.
private func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
}
