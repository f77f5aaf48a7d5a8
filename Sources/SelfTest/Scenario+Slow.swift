import CallreelCore
import Foundation

extension Scenario {
    static let slow = Scenario(
        name: "slow",
        summary: "a sink at a quarter of the call's speed; the sink stalls, and the call does not"
    ) {
        bench in
        try FileManager.default.createDirectory(atPath: bench.directory, withIntermediateDirectories: true)
        let fifo = try FIFO(bench.directory + "/slow.fifo")
        let format = TestSignal.format, seconds = bench.isQuick ? 10.0 : 40.0
        let buffer = 1.0, hold = 1.0
        var settings = ServerProcess.Settings()
        settings.sinks.append(
            .object([
                "type": .string(PipeSink.type), "name": "slow", "path": .string(fifo.path), "buffer": .number(buffer),
                "stallLimit": 30,
                "holdLimit": .number(hold), "finishLimit": 60,
            ]))
        let server = try await ServerProcess(in: bench.directory, settings, fault: bench.fault)
        fifo.read(bytesPerSecond: format.sampleRate * format.bytesPerFrame / 4)
        let call = try await TestCall.open(1, to: server)
        try await call.send(format.frames(seconds: seconds), .live)
        // The server's progress once the caller has sent everything. It may lag by the buffer, the hold limit and 3 s.
        let received = try await server.liveCalls()["1"] ?? 0
        var row = Row("slow", "audio that arrived in time")
        row.add(sent: call.sent, held: received, allowed: format.frames(seconds: buffer + hold + 3))
        let code = try await call.hangUp()
        let found = try await server.published(1)
        try bench.fault?.spoil(found)
        guard let published = try PublishedCall.all(in: server.recordings).first else {
            throw SelfTestError("the recording is missing")
        }
        var report = Report(rows: [row])
        for name in ["wav", "flac", "raw"] {
            var row = Row("slow", "\(name), beside a slow one")
            published.check(name, sent: call.sent, into: &row)
            report.rows.append(row)
        }
        var behind = Row("slow", "a FIFO read slowly")
        if let sink = published.sink("slow") {
            behind.add(sent: call.sent, held: sink.written, allowed: call.sent)
            behind.expect(
                sink.silence + sink.lost > 0,
                "no frame was dropped, so the sink was not slow, or the call waited for it")
            let sum = sink.written + sink.silence + sink.lost
            behind.expect(sum == call.sent, "written + silence + lost is \(sum), not the \(call.sent) sent")
        } else {
            behind.problems = ["the manifest has no such sink"]
        }
        report.rows.append(behind)
        var run = Row("slow", "the server", calls: 1)
        run.expect(code == 1000, "the call was closed with \(code.map(String.init) ?? "no code")")
        let status = try await server.stop()
        run.expect(status == 0, "SIGTERM ended the server with \(status)")
        run.problems += try await Verifier.problems(in: server.recordings)
        report.rows.append(run)
        return report
    }
}
