import CallreelCore
import Foundation

extension Scenario {
    static let kill = Scenario(
        name: "kill", summary: "kill -9 during calls; every file opens as it is, and the next start finishes it"
    ) {
        bench in
        let jury = Jury(finished: false)
        let victim = try await KilledServer(in: bench, calls: bench.isQuick ? 10 : 50)
        var report = Report(notes: ["kill: " + jury.description])
        let held = await victim.judge(jury, into: &report)
        report.rows += try await victim.recover(bench, held: held)
        return report
    }
}

/// A server killed at a random moment of its calls.
struct KilledServer: Sendable {
    let server: ServerProcess
    let calls: [TestCall]
    /// Frames of each call that the server had reported as received.
    ///
    /// It reported them longer before its death than a WAV's header may be behind.
    let received: [String: Int]
    /// The most frames of any call on their way to the server at that moment.
    let lag: Int
    let unfinished: [KilledCall]

    /// Seconds of audio by which a WAV's header may be behind.
    ///
    /// They are the interval between checkpoints, plus one read before it and one after it.
    private static let headerSeconds = 1 + 2 * readSeconds
    /// Seconds between two reads of a call's socket.
    private static let readSeconds = 0.2

    /// Starts a server, lets calls speak, and kills it.
    init(in bench: Bench, calls count: Int) async throws {
        let server = try await ServerProcess(in: bench.directory, fault: bench.fault)
        self.server = server
        (calls, received, lag) = try await withThrowingTaskGroup(of: Void.self) { tasks in
            var calls: [TestCall] = []
            for number in 1...count {
                // Spread over about a second, so that the calls' checkpoints do not coincide.
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...2000 / count)))
                let call = try await TestCall.open(number, to: server)
                calls.append(call)
                tasks.addTask { await call.speak() }
            }
            _ = try await eventually("\(count) calls with two seconds of audio") {
                let live = try await server.liveCalls()
                return live.count == count && live.values.allSatisfy { $0 > 2 * TestSignal.format.sampleRate }
                    ? true : nil
            }
            try await Task.sleep(for: .milliseconds(.random(in: 0...1000)))
            let tried = calls.map { ("\($0.signal.call)", $0.tried) }
            let received = try await server.liveCalls()
            let lag = tried.map { $1 - received[$0, default: 0] }.max() ?? 0
            try await Task.sleep(for: .seconds(Self.headerSeconds + Double.random(in: 0...0.4)))
            server.process.signal(SIGKILL)
            _ = try await server.process.result()
            for call in calls { call.stop() }
            try await tasks.waitForAll()
            return (calls, received, lag)
        }
        unfinished = try KilledCall.all(in: server.recordings, fault: bench.fault)
    }

    /// Examines every file as it stands. Returns the frames in each file of each call, by number and extension.
    func judge(_ jury: Jury, into report: inout Report) async -> [Int: [String: Int]] {
        var held: [Int: [String: Int]] = [:]
        var rows = ["wav", "flac", "raw"].map { (ending: $0, row: Row("kill", "\($0), as it is")) }
        var files: [(path: String, signal: TestSignal, frames: Int)] = []
        var owners: [Int] = []
        var behind = ["wav": 0, "flac": 0]
        for call in calls {
            let signal = call.signal
            let found = unfinished.first { $0.number == signal.call }
            let raw = found?.files["raw"]?.physical ?? 0
            for index in rows.indices {
                let ending = rows[index].ending
                guard let file = found?.files[ending], let samples = try? AudioContent.samples(file.path) else {
                    rows[index].row.add(
                        sent: call.tried, held: 0, allowed: 0,
                        problem: "call \(signal.call): no \(ending) file opens")
                    continue
                }
                let frames = min(samples.count, file.stated ?? .max)
                let most = file.physical ?? raw
                rows[index].row.add(sent: call.tried, held: frames, allowed: allowed(call, ending, physical: most))
                if let frame = signal.firstDifference(in: samples) {
                    rows[index].row.problems.append("call \(signal.call): frame \(frame) differs from the sent audio")
                }
                if let problem = file.problem {
                    rows[index].row.problems.append("call \(signal.call): the \(ending) file \(problem)")
                }
                behind[ending] = max(behind[ending, default: 0], most - frames)
                held[signal.call, default: [:]][ending] = ending == "flac" ? frames : most
                if ending != "raw" {
                    files.append((file.path, signal, frames))
                    owners.append(index)
                }
            }
        }
        for (owner, problems) in zip(owners, await jury.problems(of: files)) { rows[owner].row.problems += problems }
        report.rows += rows.map(\.row)
        if isBusy {
            report.notes.append("kill: the machine was busy; all audio of the last seconds may be missing")
        }
        report.notes.append(
            "kill: a WAV header was at most \(behind["wav"] ?? 0) frames behind, and a FLAC file "
                + "\(behind["flac"] ?? 0) frames behind the raw file"
        )
        return held
    }

    /// The machine was too busy to keep up with the calls.
    ///
    /// More than a second of audio then arrives in one second, so bounds in seconds of audio mean nothing.
    private var isBusy: Bool { lag > TestSignal.format.frames(seconds: 4 * Self.readSeconds) }

    /// Returns the number of frames that an unrepaired file may lack.
    ///
    /// They are frames not yet at the server, and frames still held by the file's format.
    private func allowed(_ call: TestCall, _ ending: String, physical: Int) -> Int {
        let format = TestSignal.format
        let way = call.tried - physical
        // Frames received so long before the end must be in the file in any case.
        let late = call.tried - (received["\(call.signal.call)"] ?? call.tried)
        if isBusy { return late }
        return switch ending {
        case "wav": way + format.frames(seconds: Self.headerSeconds)
        // A block, the frame that the encoder holds beyond it, and reads already in the raw file but not in this one.
        case "flac": way + 1153 + format.frames(seconds: 2 * Self.readSeconds)
        default: late
        }
    }

    /// Starts the server again and checks the recovered files: none may have fewer frames than before.
    func recover(_ bench: Bench, held: [Int: [String: Int]]) async throws -> [Row] {
        let next = try await ServerProcess(in: bench.directory, fault: bench.fault)
        let published = try await next.published(calls.count)
        var run = Row("kill", "the next start", calls: calls.count)
        let status = try await next.stop()
        run.expect(status == 0, "SIGTERM ended the server with \(status)")
        try bench.fault?.spoil(published)
        var rows = await check(published, held: held, scenario: "kill", what: "recovered")
        run.problems += try await Verifier.problems(in: server.recordings)
        rows.append(run)
        return rows
    }

    /// Compares the recovered files with those before the recovery.
    func check(_ published: [PublishedCall], held: [Int: [String: Int]], scenario: String, what: String) async -> [Row]
    {
        let jury = Jury(finished: true)
        var rows: [Row] = []
        for ending in ["wav", "flac", "raw"] {
            var row = Row(scenario, "\(ending), \(what)")
            var files: [(path: String, signal: TestSignal, frames: Int)] = []
            for call in calls {
                guard let found = published.first(where: { $0.number == call.signal.call }) else {
                    row.add(
                        sent: call.tried, held: 0, allowed: 0, problem: "call \(call.signal.call) was not published")
                    continue
                }
                let before = held[call.signal.call]?[ending] ?? 0
                found.check(ending, sent: call.tried, allowed: call.tried - before, state: .recovered, into: &row)
                for file in found.sink(ending)?.files ?? [] {
                    files.append((found.path(of: file), call.signal, before))
                }
            }
            row.problems += await jury.problems(of: files).flatMap(\.self)
            rows.append(row)
        }
        return rows
    }
}
