import CallreelCore
import Foundation

extension Scenario {
    static let recovery = Scenario(name: "recovery", summary: "callreel repair killed at random moments, again and again, and then left alone") {
        bench in
        let victim = try await KilledServer(in: bench, calls: bench.isQuick ? 4 : 12)
        var ignored = Report()
        let held = await victim.judge(Jury(judges: []), into: &ignored)
        var kills = 0
        for _ in 0..<(bench.isQuick ? 8 : 25) {
            let repair = try repair(victim, bench)
            try await Task.sleep(for: .milliseconds(.random(in: 2...(bench.isQuick ? 60 : 120))))
            repair.signal(SIGKILL)
            if try await repair.result().status != 0 { kills += 1 }
        }
        let last = try await repair(victim, bench).result()
        let published = try PublishedCall.all(in: victim.server.recordings)
        var run = Row("recovery", "callreel repair", calls: published.count)
        run.expect(last.status == 0, "the last repair ended with \(last.status): \(last.text) \(last.errors)")
        try bench.fault?.spoil(published)
        let rows = await victim.check(published, held: held, scenario: "recovery", what: "recovered")
        run.problems += try await Verifier.problems(in: victim.server.recordings)
        return Report(rows: rows + [run], notes: ["recovery: callreel repair was killed \(kills) times before it came to its end"])
    }

    private static func repair(_ victim: KilledServer, _ bench: Bench) throws -> ChildProcess {
        try ChildProcess(ServerProcess.executable, ["repair", victim.server.recordings], in: bench.directory, log: bench.directory + "/repair")
    }
}
