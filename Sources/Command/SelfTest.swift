import ArgumentParser
import CallreelCore
import CallreelSelfTest
import CallreelServer
import Foundation
import UnixSignals

/// `callreel selftest`
struct SelfTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selftest",
        abstract: "Kills, fills, stalls and floods servers on this machine, and counts lost audio.",
        discussion: """
            Starts servers as separate processes on loopback, in a temporary directory, and calls them as a carrier \
            does. For each format, the table shows the frames sent, in the files, lost, and allowed to be lost. The \
            exit code is 1 if a result is worse than allowed.

            SCENARIOS
            \(Scenario.all.map { "  \($0.name): \($0.summary)" }.joined(separator: "\n"))

            FAULTS, planted to prove that the test finds them
              drop: the raw sink of every server silently drops a chunk now and then
              stale-total: a FLAC file of the killed server states a wrong length (kill, recovery)
              cut: a published file lacks its last 1000 bytes
              lie: a published manifest states one frame less than its file has
            """)

    @Flag(help: "Run fewer and shorter calls.")
    var quick = false

    @Option(help: "Run only this scenario. May be given more than once.")
    var only: [String] = []

    @Option(help: "Skip this scenario. May be given more than once.")
    var skip: [String] = []

    @Option(help: "Plant a fault that the test must find.")
    var plant: Fault?

    @Flag(
        help:
            """
            Pass without other programs (sox, ffmpeg, flac, sndfile-info, python3) to check WAV and FLAC files. By \
            default, the test fails without them.
            """
    )
    var unjudged = false

    @Option(help: "The parent of the test's directory. Default: the system's directory for temporary files.")
    var directory: String?

    @Flag(help: "Keep the servers' directories.")
    var keep = false

    func validate() throws {
        let known = Scenario.all.map(\.name)
        for (option, name) in only.map({ ("--only", $0) }) + skip.map({ ("--skip", $0) }) where !known.contains(name) {
            throw ValidationError("\(option) \(name) is not a scenario; scenarios are \(known.joined(separator: ", "))")
        }
        if plant == .staleTotal, !only.isEmpty, !only.contains("kill"), !only.contains("recovery") {
            throw ValidationError("--plant stale-total needs a killed server: add --only kill or --only recovery")
        }
        for type in ["wav", "flac", "raw"] where CommandLineTool.plugins.sinks[type] == nil {
            throw ValidationError("the self-test needs the sink type \"\(type)\", which this program does not have")
        }
    }

    func run() async throws {
        let place = (directory ?? NSTemporaryDirectory()) + "/callreel-selftest-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        let reports = await withTaskGroup(of: [Report]?.self) { tasks in
            tasks.addTask { await Self.watchSignals(place) }
            tasks.addTask { await Jury.$isOptional.withValue(unjudged) { await runScenarios(in: place) } }
            defer { tasks.cancelAll() }
            return await tasks.next() ?? nil
        }
        ChildProcess.killAll()
        if keep {
            Terminal.note("The servers' directories are in \(place)")
        } else {
            try? FileManager.default.removeItem(atPath: place)
        }
        try present(reports ?? [])
    }

    /// Kills the servers and deletes their directory after Ctrl-C or SIGTERM.
    private static func watchSignals(_ place: String) async -> [Report]? {
        for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
            ChildProcess.killAll()
            try? FileManager.default.removeItem(atPath: place)
            _exit(130)
        }
        // Cancelled: the scenarios are done.
        return nil
    }

    /// Runs the chosen scenarios.
    ///
    /// They run one after another, so that none disturbs another's figures. The short form runs two at once.
    private func runScenarios(in place: String) async -> [Report] {
        let chosen = (Scenario.all.filter { only.isEmpty || only.contains($0.name) }).filter { !skip.contains($0.name) }
        return await withTaskGroup(of: (Int, Report).self) { tasks in
            var reports = Array(repeating: Report(), count: chosen.count)
            var next = chosen.indices.makeIterator()
            func start() {
                guard let index = next.next() else { return }
                tasks.addTask { (index, await run(chosen[index], in: place)) }
            }
            for _ in 0..<(quick ? 2 : 1) { start() }
            while let (index, report) = await tasks.next() {
                reports[index] = report
                start()
            }
            return reports
        }
    }

    /// Runs one scenario. An error that ends it early is a finding as well.
    private func run(_ scenario: Scenario, in place: String) async -> Report {
        Terminal.note("\(scenario.name): \(scenario.summary) ...")
        let start = ContinuousClock.now
        let bench = Bench(directory: "\(place)/\(scenario.name)", isQuick: quick, fault: plant)
        var report: Report
        do {
            report = try await scenario.run(bench)
        } catch {
            var row = Row(scenario.name, "the run")
            row.problems = ["\(error)"]
            report = Report(rows: [row])
        }
        Terminal.note(
            "\(scenario.name): \(report.isGood ? "ok" : "FAILED"), "
                + "\((ContinuousClock.now - start).components.seconds) s"
        )
        if !keep { try? FileManager.default.removeItem(atPath: bench.directory) }
        return report
    }

    /// Prints the table and its notes. Throws if there is a problem.
    private func present(_ reports: [Report]) throws {
        let rows = reports.flatMap(\.rows)
        Terminal.say(Terminal.table([Row.heads] + rows.map(\.cells)))
        let notes = reports.flatMap(\.notes)
        if !notes.isEmpty { Terminal.say("\n" + notes.joined(separator: "\n")) }
        let problems = rows.flatMap { row in row.problems.map { "\(row.scenario), \(row.what): \($0)" } }
        if !problems.isEmpty {
            Terminal.say("\n" + problems.prefix(40).joined(separator: "\n"))
            if problems.count > 40 { Terminal.say("and \(problems.count - 40) more") }
            throw ExitCode.failure
        }
    }
}

extension Fault: ExpressibleByArgument {}
