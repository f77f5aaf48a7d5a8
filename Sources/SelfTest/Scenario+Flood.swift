import CallreelCore
import Foundation

extension Scenario {
    static let flood = Scenario(name: "flood", summary: "many calls at once, as fast as the server takes them") {
        bench in
        let count = bench.isQuick ? 8 : 20, frames = TestSignal.format.frames(seconds: bench.isQuick ? 10 : 60)
        // Small queues, so that they fill. A long stall limit, so that no sink is dropped on a slow disk.
        let buffer = 5.0
        var settings = ServerProcess.Settings()
        settings.sinks = ["wav", "flac", "raw"].map {
            .object(["type": .string($0), "buffer": .number(buffer), "stallLimit": 600])
        }
        // Accepts audio as fast as the server takes it.
        settings.sections = ["limits": .object(["aheadOfTime": .null])]
        let server = try await ServerProcess(in: bench.directory, settings, fault: bench.fault)
        let before = server.memory()
        let calls = try await withThrowingTaskGroup(of: TestCall.self) { tasks in
            for number in 1...count {
                tasks.addTask {
                    let call = try await TestCall.open(number, to: server)
                    try await call.send(frames, .maximum)
                    let code = try await call.hangUp()
                    guard code == 1000 else {
                        throw SelfTestError("call \(number) was closed with \(code.map(String.init) ?? "no code")")
                    }
                    return call
                }
            }
            return try await tasks.reduce(into: []) { $0.append($1) }
        }
        var published = try await server.published(count)
        var report = Report()
        var run = Row("flood", "the server", calls: count)
        // Twice each call's queues, because shared chunks are copied on their way, plus the program itself.
        let allowed =
            2 * count * Int(buffer) * TestSignal.format.sampleRate * TestSignal.format.bytesPerFrame + 64_000_000
        report.notes += Self.noteMemory("flood", before, server, allowed: allowed, &run)
        let status = try await server.stop()
        run.expect(status == 0, "SIGTERM ended the server with \(status)")
        try bench.fault?.spoil(published)
        published = try PublishedCall.all(in: server.recordings)
        for name in ["wav", "flac", "raw"] {
            var row = Row("flood", name)
            for call in calls {
                guard let found = published.first(where: { $0.number == call.signal.call }) else {
                    row.add(sent: call.sent, held: 0, allowed: 0, problem: "call \(call.signal.call) was not published")
                    continue
                }
                found.check(name, sent: call.sent, into: &row)
            }
            report.rows.append(row)
        }
        run.problems += try await Verifier.problems(in: server.recordings)
        report.rows.append(run)
        return report
    }

    /// Reports the greatest growth of a server's memory since it was ready. Adds a problem if it exceeds `allowed`.
    static func noteMemory(
        _ scenario: String, _ before: (now: Int, most: Int)?, _ server: ServerProcess, allowed: Int, _ row: inout Row
    ) -> [String] {
        guard let before, let after = server.memory() else {
            return ["\(scenario): memory cannot be measured on this system"]
        }
        let growth = max(0, after.most - before.now)
        row.expect(
            growth <= allowed,
            "the server's memory grew by \(growth / 1000) kB; at most \(allowed / 1000) kB are allowed")
        return [
            "\(scenario): the server's memory grew from \(before.now / 1000) kB by at most \(growth / 1000) kB; "
                + "\(allowed / 1000) kB are allowed"
        ]
    }
}
