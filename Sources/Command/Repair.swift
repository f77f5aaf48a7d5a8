import ArgumentParser
import CallreelCore
import CallreelEngine
import CallreelServer
import Foundation
import Logging

/// `callreel repair`
struct Repair: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Finishes recordings that were interrupted, as every start of the server does.",
        discussion: """
            Deletes nothing. If files of a call are missing, the call waits, because their disk may not be mounted. \
            If a file cannot be repaired, it stays in the directory's .partial and is listed, and the exit code is 1.


            Settle a call after you have looked at it. Files that cannot be repaired then move to .callreel/unrepaired \
            of the same directory, missing files are given up, and the manifest states both.
            """)

    @Argument(help: "The recordings directory.")
    var directory: String

    @Flag(help: "Print what would be done, and change nothing.")
    var dryRun = false

    @Option(
        help:
            "Settle the problems of this call, or of all calls. ID is the name of the call's directory under .partial.")
    var settle: Settling?

    func run() async throws {
        let template: NameTemplate
        // Names a call whose manifest, with its name, is lost.
        do { template = try NameTemplate("{date}/{id}") } catch { throw ValidationError(error.description) }
        let store = RecordingStore(directory: directory, template: template)
        var isDirectory: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue
        else {
            throw ValidationError("\(directory) is not a directory")
        }
        let findings = await BlockingExecutor(name: "repair").run { [dryRun, settle] in
            Self.recover(store, dryRun: dryRun, settling: settle?.settlement ?? .none)
        }
        for finding in findings { say(finding) }
        let problems = findings.reduce(0) { $0 + $1.problems.count }
        Terminal.say(
            "\(findings.count) interrupted recording\(findings.count == 1 ? "" : "s"), "
                + "\(problems) problem\(problems == 1 ? "" : "s")"
        )
        if problems > 0 {
            Terminal.note("Check the listed files, then run: callreel repair \(directory) --settle all")
            throw ExitCode.failure
        }
    }

    /// Recovers all interrupted calls, except calls of servers still running on this host or another. Blocks.
    private static func recover(_ store: RecordingStore, dryRun: Bool, settling: Recovery.Settlement) -> [Recovery
        .Finding]
    {
        let lease = Lease(directory: store.partialDirectory)
        // If the directory cannot be written, the recovery can do nothing and reports the reason.
        let leases = (try? lease.begin()).map { Leases(own: lease, directory: store.partialDirectory) }
        defer { lease.end() }
        if leases != nil { lease.keep() }
        let recovery = Recovery(
            store: store, registry: CommandLineTool.plugins.sinks, leases: leases,
            logger: Terminal.logger(level: .critical))
        var findings = recovery.run(dryRun: dryRun, settling: settling)
        if leases?.isWaiting == true {
            Terminal.note("Waiting for up to 20 seconds: another server may still record here.")
        }
        while let leases, leases.isWaiting {
            leases.releaseClaims()
            Thread.sleep(forTimeInterval: 1)
            let more = recovery.run(dryRun: dryRun, settling: settling)
            findings.removeAll { one in more.contains { $0.directory == one.directory } }
            findings += more
        }
        if leases?.sparesOthers == true { Terminal.note("Skipping calls of a server that runs elsewhere.") }
        leases?.releaseClaims()
        if !dryRun {
            leases?.removeLeftovers()
            store.removeLeftovers()
        }
        return findings
    }

    private func say(_ finding: Recovery.Finding) {
        let name = finding.name ?? finding.directory
        switch finding.outcome {
        case .published: Terminal.say("\(dryRun ? "would publish" : "published") \(name)")
        case .wasPublished: Terminal.say("\(name) was published before")
        case .waits: Terminal.say("\(name) waits")
        }
        for file in finding.files {
            Terminal.say("  \(file.name): \(file.frames.map { "\($0) frames, " } ?? "")\(file.note)")
        }
        for file in finding.setAside { Terminal.say("  \(file.name): moved to \(file.place)") }
        for problem in finding.problems { Terminal.note("  left in place: \(problem)") }
    }

    /// The calls to settle, as an argument.
    struct Settling: ExpressibleByArgument, Sendable {
        let settlement: Recovery.Settlement

        init?(argument: String) {
            if argument == "all" {
                settlement = .all
            } else if let id = RecordingID(argument) {
                settlement = .only(id)
            } else {
                return nil
            }
        }
    }
}
