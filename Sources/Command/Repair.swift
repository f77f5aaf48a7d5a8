import ArgumentParser
import CallreelCore
import Foundation
import Logging

/// `callreel repair`
struct Repair: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Finishes recordings that were interrupted, as every start of the server does.",
        discussion: "Nothing is deleted. What cannot be understood stays in the directory's .partial and is named; the exit code is then 1.")

    @Argument(help: "The recordings directory.")
    var directory: String

    @Flag(help: "Only say what would be done.")
    var dryRun = false

    func run() async throws {
        let template: NameTemplate
        do { template = try NameTemplate("{id}") } catch { throw ValidationError(error.description) }
        let store = RecordingStore(directory: directory, template: template)
        var isDirectory: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue else {
            throw ValidationError("\(directory) is not a directory")
        }
        let recovery = Recovery(store: store, registry: CommandLineTool.registry, logger: Terminal.logger(level: .critical))
        let findings = await BlockingExecutor(name: "repair").run { [dryRun] in recovery.run(dryRun: dryRun) }
        for finding in findings {
            if let name = finding.name { Terminal.say("\(dryRun ? "would publish" : "published") \(name)") }
            for file in finding.files { Terminal.say("  \(file.name): \(file.frames.map { "\($0) frames, " } ?? "")\(file.note)") }
            for problem in finding.problems { Terminal.note("  left where it is: \(problem)") }
        }
        let problems = findings.reduce(0) { $0 + $1.problems.count }
        Terminal.say("\(findings.count) interrupted recording\(findings.count == 1 ? "" : "s"), \(problems) problem\(problems == 1 ? "" : "s")")
        if problems > 0 { throw ExitCode.failure }
    }
}
