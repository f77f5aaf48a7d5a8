import CallreelCore
import Foundation

extension Scenario {
    static let endings = Scenario(
        name: "endings",
        summary: "closed, lost and silent connections, SIGTERM and SIGINT; the last sample is in every file"
    ) { bench in
        try FileManager.default.createDirectory(atPath: bench.directory, withIntermediateDirectories: true)
        // Each server waits for its own timeouts. Run together, they take no longer than one.
        async let carrier = Ending.byTheCarrier(bench)
        async let drained = Ending.bySignal("SIGTERM", SIGTERM, times: 1, drain: 1, bench)
        async let interrupted = Ending.bySignal("SIGINT", SIGINT, times: 1, drain: 1, bench)
        async let hurried = Ending.bySignal("SIGTERM twice", SIGTERM, times: 2, drain: 600, bench)
        return Report(rows: try await carrier + drained + interrupted + hurried)
    }
}

/// One way for a call to end.
private struct Ending: Sendable {
    let name: String
    /// The end reasons allowed in the manifest, to the letter.
    let reasons: [String]
    /// The carrier's part. Returns the problem with the server's answer, if there is one.
    let act: @Sendable (TestCall) async throws -> String?

    /// Frames of each call: a little more than a second and a half, and not whole messages.
    private static let frames = 24_567

    private static let all = [
        Ending(name: "close 1000", reasons: ["the carrier closed the call"]) { call in try await answer(to: call, 1000)
        },
        Ending(name: "close 1001", reasons: ["the carrier closed the call with code 1001"]) { call in
            try await answer(to: call, 1001)
        },
        // The reason depends on the bytes still unread when the connection was cut.
        Ending(
            name: "lost connection (1006)",
            reasons: [
                "the carrier ended the connection without a closing handshake",
                "the connection failed: Connection reset by peer",
            ]
        ) { call in
            await call.drop()
            return nil
        },
        Ending(name: "silent connection", reasons: ["the connection fell silent for 2 seconds"]) { call in
            await call.fallSilent()
            return nil
        },
    ]

    private static func answer(to call: TestCall, _ code: UInt16) async throws -> String? {
        let found = try await call.hangUp(code: code)
        return found == code ? nil : "the answer to \(code) is \(found.map(String.init) ?? "no code")"
    }

    /// Calls ended by the carrier, in each of its ways.
    static func byTheCarrier(_ bench: Bench) async throws -> [Row] {
        var settings = ServerProcess.Settings()
        settings.sections = ["listen": .object(["pingInterval": 1, "idleTimeout": 2])]
        let server = try await ServerProcess(in: bench.directory + "/carrier", settings, fault: bench.fault)
        let ends = try await withThrowingTaskGroup(of: (Int, TestCall, String?).self) { tasks in
            for (index, ending) in all.enumerated() {
                tasks.addTask {
                    let call = try await TestCall.open(index + 1, to: server)
                    try await call.send(frames, .live)
                    return (index, call, try await ending.act(call))
                }
            }
            return try await tasks.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }
        }
        let found = try await server.published(all.count)
        let status = try await server.stop()
        try bench.fault?.spoil(found)
        let published = try PublishedCall.all(in: server.recordings)
        let faults = try await Verifier.problems(in: server.recordings)
        return ends.map { index, call, problem in
            var row = check(all[index].name, [call], published)
            if let problem { row.problems.append(problem) }
            let reason = published.first { $0.number == call.signal.call }?.recording.endReason ?? ""
            row.expect(all[index].reasons.contains(reason), "the call ended because \(reason)")
            row.expect(status == 0, "SIGTERM ended the server with \(status)")
            if index == 0 { row.problems += faults }
            return row
        }
    }

    /// Calls that go on speaking while the server is told to stop.
    static func bySignal(_ name: String, _ signal: Int32, times: Int, drain: Int, _ bench: Bench) async throws -> [Row]
    {
        var settings = ServerProcess.Settings()
        settings.sections = ["listen": .object(["drainTimeout": .integer(drain)])]
        let server = try await ServerProcess(
            in: bench.directory + "/" + name.filter(\.isLetter), settings, fault: bench.fault)
        let calls = try await withThrowingTaskGroup(of: Void.self) { tasks in
            var calls: [TestCall] = []
            for number in 1...2 {
                let call = try await TestCall.open(number, to: server)
                calls.append(call)
                tasks.addTask { await call.speak() }
            }
            _ = try await eventually("two calls with audio") {
                let live = try await server.liveCalls()
                return live.count == 2 && live.values.allSatisfy { $0 > TestSignal.format.sampleRate / 2 } ? true : nil
            }
            server.process.signal(signal)
            for _ in 1..<times {
                _ = try await eventually("the log line of the server's stop") {
                    server.process.errors.contains("stopping") ? true : nil
                }
                server.process.signal(signal)
            }
            try await tasks.waitForAll()
            return calls
        }
        let status = try await server.process.result().status
        try bench.fault?.spoil(try PublishedCall.all(in: server.recordings))
        var row = check(name, calls, try PublishedCall.all(in: server.recordings))
        row.expect(status == 0, "the server ended with \(status)")
        for call in calls {
            let code = await call.ending()
            row.expect(code == 1001, "call \(call.signal.call) was closed with \(code.map(String.init) ?? "no code")")
        }
        row.problems += try await Verifier.problems(in: server.recordings)
        return [row]
    }

    /// Compares the files of calls that ended in one way. The row's frames held are the least of the three files.
    private static func check(_ name: String, _ calls: [TestCall], _ published: [PublishedCall]) -> Row {
        var row = Row("endings", "\(name): wav, flac, raw")
        for call in calls {
            guard let found = published.first(where: { $0.number == call.signal.call }) else {
                row.add(sent: call.sent, held: 0, allowed: 0, problem: "call \(call.signal.call) was not published")
                continue
            }
            var least = Int.max
            for sink in ["wav", "flac", "raw"] {
                var one = Row("endings", sink)
                found.check(sink, sent: call.sent, into: &one)
                row.problems += one.problems.map { "\(sink): \($0)" }
                least = min(least, one.held)
            }
            row.add(sent: call.sent, held: least, allowed: 0)
        }
        return row
    }
}
