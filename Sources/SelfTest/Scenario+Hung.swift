import CallreelCore
import CallreelSimulator
import Foundation

extension Scenario {
    static let hung = Scenario(
        name: "hung",
        summary: "a sink's directory that hangs (a FUSE file system that never answers); calls begin and end beside it"
    ) { bench in
        guard HangingDirectory.isPossible, let space = try await MountSpace.available(in: bench.directory) else {
            return .notRun("hung", "cannot mount here, or cannot open /dev/fuse")
        }
        let place = bench.directory + "/network"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        var settings = ServerProcess.Settings()
        settings.sinks.append(
            .object([
                "type": "raw", "name": "hung", "directory": .string(place), "buffer": .number(0.5), "stallLimit": 1,
                "finishLimit": 1,
            ]))
        settings.wrapper = space.wrapper()
        let server = try await ServerProcess(in: bench.directory, settings, fault: bench.fault)
        let frames = TestSignal.format.frames(seconds: bench.isQuick ? 3 : 10)

        var run = Row("hung", "the server", calls: 3)
        // One call runs when the directory begins to hang; two more begin afterwards.
        let first = try await TestCall.open(1, to: server)
        try await first.send(frames, .live)
        let hang = try await space.hang(place, in: server)
        defer { hang.signal(SIGKILL) }
        let others = try await withThrowingTaskGroup(of: TestCall.self) { tasks in
            for number in 2...3 {
                tasks.addTask {
                    let call = try await within(20, "call \(number) at a server with a hung directory") {
                        try await TestCall.open(number, to: server)
                    }
                    try await call.send(frames, .live)
                    return call
                }
            }
            tasks.addTask {
                try await first.send(frames, .live)
                return first
            }
            return try await tasks.reduce(into: []) { $0.append($1) }
        }
        for path in ["/healthz", "/metrics", "/api/calls"] {
            do {
                _ = try await within(10, "GET \(path)") { try await CallInstructions.text(at: server.url + path) }
            } catch {
                run.problems.append("\(error)")
            }
        }
        for call in others {
            let code = try await within(30, "the end of call \(call.signal.call)") { try await call.hangUp() }
            run.expect(code == 1000, "call \(call.signal.call) was closed with \(code.map(String.init) ?? "no code")")
        }
        let found = try await server.published(3)
        try bench.fault?.spoil(found)
        let published = try PublishedCall.all(in: server.recordings)
        var report = Report(notes: [
            "hung: a FUSE file system that answers no request, mounted in a private name space"
        ])
        for name in ["wav", "flac", "raw"] {
            var row = Row("hung", "\(name), beside a hung directory")
            for call in others {
                published.first { $0.number == call.signal.call }?.check(name, sent: call.sent, into: &row)
            }
            let calls = row.calls
            row.expect(calls == 3, "\(calls) of 3 calls were published")
            report.rows.append(row)
        }
        // One of its threads may stay blocked for ever.
        server.process.signal(SIGKILL)
        _ = try await server.process.result()
        run.problems += try await Verifier.problems(in: server.recordings)
        report.rows.append(run)
        return report
    }
}
