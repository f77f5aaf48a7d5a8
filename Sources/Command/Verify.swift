import ArgumentParser
import CallreelCore
import Foundation
import Synchronization

/// `callreel verify`
struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Decodes every recording and compares it with its manifest.",
        discussion: """
            Finds files that are damaged, cut, exchanged or missing, files that no manifest names, and formats of one call \
            that do not hold the same audio. The exit code is 1 when there is any.
            """)

    @Argument(help: "The recordings directory.")
    var directory: String

    func run() async throws {
        let verification = Verification(directory: directory, registry: CommandLineTool.registry)
        let executor = BlockingExecutor(name: "verify")
        let survey = try await executor.run { () throws(RecordingError) in try verification.survey() }
        let total = survey.recordings.count
        var result = Verification.Result()
        result.problems = survey.problems
        await withTaskGroup(of: Verification.Result.self) { group in
            var next = survey.recordings.makeIterator()
            // As many at once as the executor has threads of its own, so that a large archive is not all open at once.
            for _ in 0..<ProcessInfo.processInfo.activeProcessorCount {
                if let recording = next.next() { group.addTask(executorPreference: executor) { verification.check(recording) } }
            }
            while let checked = await group.next() {
                result.add(checked)
                Terminal.progress("\(result.recordings) of \(total) recordings")
                if let recording = next.next() { group.addTask(executorPreference: executor) { verification.check(recording) } }
            }
        }
        Terminal.progress("")
        try report(result, unfinished: survey.unfinished)
    }

    private func report(_ result: Verification.Result, unfinished: Int) throws {
        for problem in result.problems.sorted(by: { $0.file < $1.file }) { Terminal.note(problem.description) }
        Terminal.say(
            Terminal.table([
                ["recordings", "\(result.recordings)"], ["audio", "\(Int(result.seconds.rounded())) s"],
                ["files", "\(result.files), \(result.decoded) of them decoded"], ["bytes", "\(result.bytes)"],
                ["unfinished", unfinished == 0 ? "0" : "\(unfinished), running or interrupted: see callreel repair"],
                ["problems", "\(result.problems.count)"],
            ]))
        if !result.problems.isEmpty { throw ExitCode.failure }
    }
}
