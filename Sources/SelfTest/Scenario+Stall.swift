import CallreelCore
import Foundation

extension Scenario {
    static let stall = Scenario(
        name: "stall", summary: "sinks whose destination hangs, forever or for a while, beside healthy sinks"
    ) { bench in
        try FileManager.default.createDirectory(atPath: bench.directory, withIntermediateDirectories: true)
        let blocked = try FIFO(bench.directory + "/blocked.fifo"),
            returning = try FIFO(bench.directory + "/returning.fifo")
        func pipe(_ name: String, _ fifo: FIFO, finishLimit: JSONValue) -> JSONValue {
            .object([
                "type": .string(PipeSink.type), "name": .string(name), "path": .string(fifo.path),
                "buffer": .number(0.5),
                "stallLimit": .number(0.5), "finishLimit": finishLimit,
            ])
        }
        var settings = ServerProcess.Settings()
        settings.sinks += [pipe("blocked", blocked, finishLimit: 1), pipe("returning", returning, finishLimit: 60)]
        let server = try await ServerProcess(in: bench.directory, settings, fault: bench.fault)
        let before = server.memory()

        let call = try await TestCall.open(1, to: server)
        try await call.send(TestSignal.format.frames(seconds: bench.isQuick ? 300 : 1200), .maximum)
        _ = try await eventually("all audio so far at the server") {
            try await server.liveCalls()["1"] == call.sent ? true : nil
        }
        // The destination comes back; the call and its sink go on.
        returning.read()
        try await call.send(TestSignal.format.frames(seconds: 1.5), .live)
        let code = try await call.hangUp()
        let found = try await server.published(1)

        var report = Report()
        var run = Row("stall", "the server", calls: 1)
        run.expect(code == 1000, "the call was closed with \(code.map(String.init) ?? "no code")")
        // The queues take a few hundred kilobytes. The program itself takes the rest.
        report.notes += noteMemory("stall", before, server, allowed: bench.isQuick ? 8_000_000 : 24_000_000, &run)
        run.expect(server.process.errors.contains("sink stalled"), "the log does not report that a sink stalled")
        try bench.fault?.spoil(found)
        guard let published = try PublishedCall.all(in: server.recordings).first else {
            throw SelfTestError("the recording is missing")
        }
        for name in ["wav", "flac", "raw"] {
            var row = Row("stall", "\(name), beside hanging sinks")
            published.check(name, sent: call.sent, into: &row)
            report.rows.append(row)
        }
        report.rows.append(await Self.blocked(published, call, server))
        report.rows.append(try await Self.returned(published, call, server, try await returning.samples()))
        // The blocked sink never ends.
        server.process.signal(SIGKILL)
        _ = try await server.process.result()
        run.problems += try await Verifier.problems(in: server.recordings)
        report.rows.append(run)
        return report
    }

    /// The sink that hangs for ever: the manifest and the metrics count all its frames as lost.
    private static func blocked(_ published: PublishedCall, _ call: TestCall, _ server: ServerProcess) async -> Row {
        var row = Row("stall", "a FIFO without a reader")
        guard let sink = published.sink("blocked") else {
            row.problems = ["the manifest has no such sink"]
            return row
        }
        row.add(sent: call.sent, held: sink.written + sink.silence, allowed: call.sent)
        row.expect(
            sink.state == .stalled && sink.lost == call.sent,
            "the manifest says \(sink.state.rawValue), \(sink.lost) frames lost")
        await row.expect(server, "callreel_sink_frames_lost_total", sink: "blocked", is: sink.lost)
        return row
    }

    /// The sink that came back: silence replaces its missed frames, and its output is as long as the call.
    private static func returned(
        _ published: PublishedCall, _ call: TestCall, _ server: ServerProcess, _ samples: [Int16]
    ) async throws -> Row {
        var row = Row("stall", "a FIFO read after the stall")
        guard let sink = published.sink("returning") else {
            row.problems = ["the manifest has no such sink"]
            return row
        }
        let silent = samples.count { $0 == 0 }
        row.add(sent: call.sent, held: samples.count - silent, allowed: sink.silence)
        row.expect(samples.count == call.sent, "its output has \(samples.count) frames, the call \(call.sent)")
        row.expect(
            silent == sink.silence && silent > 0,
            "\(silent) frames of its output are silence, and the manifest says \(sink.silence)")
        row.expect(
            sink.state == .complete && sink.lost == 0,
            "the manifest says \(sink.state.rawValue), \(sink.lost) frames lost")
        for (frame, sample) in samples.enumerated() where sample != 0 && sample != call.signal.sample(at: frame) {
            row.problems.append("frame \(frame) differs from the sent audio")
            break
        }
        await row.expect(server, "callreel_sink_frames_silenced_total", sink: "returning", is: sink.silence)
        await row.expect(server, "callreel_sink_frames_dropped_total", sink: "returning", is: sink.silence)
        return row
    }
}

extension Row {
    /// Adds a problem unless `GET /metrics` reports this number of frames for a sink.
    mutating func expect(_ server: ServerProcess, _ metric: String, sink: String, is frames: Int) async {
        do {
            let found = try await server.metric(metric, sink: sink)
            expect(
                found == frames,
                "\(metric) of \(sink) is \(found.map(String.init) ?? "missing"), but \(frames) frames are correct")
        } catch {
            problems.append("GET /metrics: \(error)")
        }
    }
}
