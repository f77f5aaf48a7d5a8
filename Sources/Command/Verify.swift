import ArgumentParser
import CallreelArchive
import CallreelCore
import CallreelEngine
import CallreelServer
import Foundation
import Synchronization

/// `callreel verify`
struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Decodes every recording and compares it with its manifest.",
        discussion: """
            Finds damaged, cut, exchanged and missing files, files in no manifest, formats of one call with different \
            audio, and unreadable places. If it finds any, the exit code is 1. It follows links, and also checks the \
            directories of single sinks. A recording with an incomplete sink counts as incomplete.
            """)

    @Argument(help: "The recordings directory.")
    var directory: String

    @Flag(help: "Exit with 1 also if a recording is incomplete.")
    var strict = false

    @Option(
        help: ArgumentHelp(
            "Skip files and directories with this name or pattern, such as '*.pdf'. May be given more than once.",
            valueName: "name"))
    var ignore: [String] = []

    func run() async throws {
        let verification = Verification(
            directory: directory, registry: CommandLineTool.plugins.sinks,
            ignored: Verification.standardIgnored + ignore)
        let executor = BlockingExecutor(name: "verify")
        let survey = try await executor.run { () throws(DiskError) in try verification.survey() }
        guard survey.isArchive || !survey.problems.isEmpty else {
            throw DiskError(
                "\(directory) holds no recordings: it has neither manifests nor .partial. Is its disk mounted?"
            )
        }
        let total = survey.recordings.count
        var result = Verification.Result()
        result.problems = survey.problems
        await withTaskGroup(of: Verification.Result.self) { group in
            var next = survey.recordings.makeIterator()
            // One check per core at a time, so that a large archive is not all open at once.
            for _ in 0..<ProcessInfo.processInfo.activeProcessorCount {
                if let recording = next.next() {
                    group.addTask(executorPreference: executor) { verification.check(recording) }
                }
            }
            while let checked = await group.next() {
                result.add(checked)
                Terminal.progress("\(result.recordings) of \(total) recordings")
                if let recording = next.next() {
                    group.addTask(executorPreference: executor) { verification.check(recording) }
                }
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
                ["incomplete", "\(result.incomplete)"], ["problems", "\(result.problems.count)"],
            ]))
        if result.recordings == 0 { Terminal.note("\(directory) holds no published recording") }
        if !result.problems.isEmpty || strict && result.incomplete > 0 { throw ExitCode.failure }
    }
}
