import CallreelCore
import Foundation

extension Scenario {
    static let programs = Scenario(
        name: "programs",
        summary:
            "programs of exec sinks that still write after their end, and after kill -9 of the server and a restart"
    ) { bench in
        async let ended = Self.lateChild(bench)
        async let killed = Self.survivor(bench)
        return Report(rows: try await ended + killed)
    }

    /// Seconds until the programs write once more.
    private static let late = 2

    /// A program ends normally, and its child goes on writing.
    private static func lateChild(_ bench: Bench) async throws -> [Row] {
        var settings = ServerProcess.Settings()
        settings.sinks = [
            .object(["type": "raw"]),
            ServerProcess.Settings.program(
                "child", "exec 3>> \"$1\"; (sleep \(late); echo late >&3) < /dev/null > /dev/null 2>&1 & cat >&3",
                finishLimit: 20),
        ]
        let server = try await ServerProcess(in: bench.directory + "/child", settings, fault: bench.fault)
        let call = try await TestCall.open(1, to: server)
        try await call.send(TestSignal.format.frames(seconds: 1), .live)
        _ = try await call.hangUp()
        _ = try await server.published(1)
        return [try await check("a child of a program", call, server, allowed: 0) { _ = try await server.stop() }]
    }

    /// A program outlives its server.
    private static func survivor(_ bench: Bench) async throws -> [Row] {
        var settings = ServerProcess.Settings()
        settings.sinks = [
            .object(["type": "raw"]),
            ServerProcess.Settings.program(
                "survivor", "exec 3>> \"$1\"; cat >&3; sleep \(late); echo late >&3", finishLimit: 20),
        ]
        let server = try await ServerProcess(in: bench.directory + "/survivor", settings, fault: bench.fault)
        let call = try await TestCall.open(1, to: server)
        try await call.send(TestSignal.format.frames(seconds: 1), .live)
        _ = try await eventually("all audio at the server") {
            try await server.liveCalls()["1"] == call.sent ? true : nil
        }
        server.process.signal(SIGKILL)
        _ = try await server.process.result()
        let next = try await ServerProcess(in: bench.directory + "/survivor", settings, fault: bench.fault)
        _ = try await next.published(1)
        return [
            try await check("a program after kill -9", call, next, allowed: call.sent) { _ = try await next.stop() }
        ]
    }

    /// Waits for the programs' late writes, and compares the published files with their manifest.
    private static func check(
        _ what: String, _ call: TestCall, _ server: ServerProcess, allowed: Int, _ stop: () async throws -> Void
    ) async throws
        -> Row
    {
        var row = Row("programs", what)
        try await Task.sleep(for: .seconds(2 * late))
        try await stop()
        guard let published = try PublishedCall.all(in: server.recordings).first, let raw = published.sink("raw") else {
            throw SelfTestError("the recording is missing")
        }
        row.add(sent: call.sent, held: try published.samples(of: raw).count, allowed: allowed)
        row.problems += try await Verifier.problems(in: server.recordings)
        return row
    }
}
