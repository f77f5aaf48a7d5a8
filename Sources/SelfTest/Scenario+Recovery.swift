import CallreelCore
import Foundation

extension Scenario {
    static let recovery = Scenario(
        name: "recovery", summary: "callreel repair, killed at random moments many times, then run to its end"
    ) {
        bench in
        let victim = try await KilledServer(in: bench, calls: bench.isQuick ? 4 : 12)
        var ignored = Report()
        let held = await victim.judge(Jury(judges: []), into: &ignored)
        // A repair takes somewhat longer than a dry run. Twice that time spreads the kills over the whole repair.
        let start = ContinuousClock.now
        let look = try await repair(victim, bench, "--dry-run").result()
        let time = (ContinuousClock.now - start) / Duration.seconds(1)
        var kills = 0
        for _ in 0..<(bench.isQuick ? 8 : 25) {
            let repair = try repair(victim, bench)
            try await Task.sleep(for: .seconds(Double.random(in: 0...2 * time)))
            repair.signal(SIGKILL)
            if try await repair.result().status == 128 + SIGKILL { kills += 1 }
        }
        let before = try PublishedCall.all(in: victim.server.recordings).count
        let last = try await repair(victim, bench).result()
        let published = try PublishedCall.all(in: victim.server.recordings)
        var run = Row("recovery", "callreel repair", calls: published.count)
        run.expect(look.status == 0, "a dry run ended with \(look.status): \(look.text) \(look.errors)")
        run.expect(last.status == 0, "the last repair ended with \(last.status): \(last.text) \(last.errors)")
        try bench.fault?.spoil(published)
        let rows = await victim.check(published, held: held, scenario: "recovery", what: "recovered")
        run.problems += try await Verifier.problems(in: victim.server.recordings)
        return Report(
            rows: rows + [run],
            notes: [
                "recovery: callreel repair was killed \(kills) times; \(before) of \(victim.calls.count) calls were "
                    + "published by then"
            ])
    }

    private static func repair(_ victim: KilledServer, _ bench: Bench, _ options: String...) throws -> ChildProcess {
        try ChildProcess(
            ServerProcess.executable, ["repair", victim.server.recordings] + options, in: bench.directory,
            log: bench.directory + "/repair")
    }
}
