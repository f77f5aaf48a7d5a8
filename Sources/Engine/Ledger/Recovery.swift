package import CallreelCore
import Foundation
package import Logging
import Synchronization

/// Finishes the recordings of programs that died, during a call or while publishing.
///
/// Each interrupted call has a directory of its own under `.partial`.
/// The sinks that wrote its files repair them, and recovery publishes them with the state `recovered`.
/// Recovery may be ended at any point and run again.
///
/// Recovery deletes only second names of published files, and files without a byte.
/// A file it cannot interpret stays where it is and is reported, until an operator settles the call.
/// A call with missing files waits, because a disk may not be mounted yet.
///
/// Calls with files in sinks' own directories are recovered on threads of their own,
/// and only while these directories answer. A hanging directory delays only its own calls.
package struct Recovery: Sendable {
    /// The result for one interrupted call.
    package struct Finding: Sendable {
        /// The outcome of the call.
        package enum Outcome: Sendable {
            /// The call was published now, or would be in a dry run.
            case published
            /// The call was published before.
            case wasPublished
            /// The call waits unchanged.
            case waits
        }

        /// The call's directory.
        package let directory: String
        package var outcome = Outcome.waits
        /// The published or intended name; nil if unknown.
        package var name: String?
        /// For each file: its name, its frames if known, and a note on its repair or defect.
        package var files: [(name: String, frames: Int?, note: String)] = []
        /// Files put aside because an operator settled the call, and their new places.
        package var setAside: [(name: String, place: String)] = []
        /// The reasons why the call, or a part of it, stays where it is.
        package var problems: [String] = []

        /// Starts a finding without any facts about the call.
        package init(directory: String) { self.directory = directory }
    }

    /// The calls that an operator has decided to settle despite their problems.
    package enum Settlement: Sendable, Equatable {
        case none, all
        case only(RecordingID)

        /// Returns true if the operator has decided to settle this call.
        func includes(_ id: RecordingID) -> Bool {
            switch self {
            case .none: false
            case .all: true
            case .only(let one): one == id
            }
        }
    }

    let store: RecordingStore
    let registry: SinkRegistry
    /// The sinks' own directories. A call without a ledger may have files there, too.
    let roots: [String]
    private let logger: Logger
    /// Problems already logged. Recovery is retried while calls wait.
    private let logged: LoggedProblems
    /// The leases of programs with the same recordings directory; nil if there can be no other program.
    let leases: Leases?
    private let watch: RootWatch
    /// Prepares to recover the interrupted calls of a store. The sinks of the registry repair the files.
    /// - Parameters:
    ///   - roots: the sinks' own directories.
    ///   - leases: the leases of programs with the same recordings directory; nil if there can be no other program.
    package init(
        store: RecordingStore, registry: SinkRegistry, roots: [String] = [], leases: Leases? = nil, logger: Logger
    ) {
        self.init(store: store, registry: registry, roots: roots, leases: leases, logger: logger, watch: RootWatch())
    }

    /// Prepares a recovery with another test of whether sinks' own directories answer. For tests.
    init(
        store: RecordingStore, registry: SinkRegistry, roots: [String] = [], leases: Leases? = nil, logger: Logger,
        watch: RootWatch
    ) {
        logged = LoggedProblems()
        self.watch = watch
        self.leases = leases
        // A waiting call stays with its own program, which is known to be dead.
        var store = store
        store.lease = nil
        self.store = store
        self.registry = registry
        self.roots = roots
        self.logger = logger
    }

    /// The recovery of a call hangs in a directory. It continues by itself when the directory answers.
    var isHeldUp: Bool { watch.isHeldUp }

    /// The options of one pass over the interrupted calls.
    private struct Pass: Sendable {
        let dryRun: Bool
        let settling: Settlement
        let onRecovery: @Sendable (Recording) -> Void
    }

    /// A call with files in sinks' own directories.
    private struct FarCall {
        let id: RecordingID
        let directory: String
        let roots: Set<String>
    }

    /// Examines and recovers every interrupted call. Leaves running calls alone, in this program and in others.
    /// Blocks, but for a bounded time if a sink's own directory hangs.
    /// - Parameters:
    ///   - dryRun: true to examine the calls and report, without a change.
    ///   - settling: the calls to settle. Their files beyond repair are put aside, and missing files are given up.
    ///   - isEnding: returns true if the program is about to end.
    ///     Calls with files in sinks' own directories then wait for the next start.
    ///   - onRecovery: called from any thread with each recording published or changed.
    ///     After a hang, it is called later.
    package func run(
        dryRun: Bool = false, settling: Settlement = .none, isEnding: () -> Bool = { false },
        onRecovery: @escaping @Sendable (Recording) -> Void = { _ in }
    ) -> [Finding] {
        let pass = Pass(dryRun: dryRun, settling: settling, onRecovery: onRecovery)
        let partial = store.directory + "/" + RecordingLayout.partialDirectoryName
        var entries: [FileSystem.Entry]
        do throws(DiskError) {
            entries = try FileSystem.list(partial)
        } catch {
            if error.isMissing, !FileStatus.isMissing(store.directory) { return [] }
            var finding = Finding(directory: partial)
            finding.problems = [error.description]
            report(finding, dryRun: dryRun)
            return [finding]
        }
        var findings: [Finding] = [], far: [FarCall] = []
        let leftovers = Leftovers(in: partial)
        if !dryRun { entries += leftovers.tidy(entries.map(\.name)) }
        for entry in entries {
            let directory = partial + "/" + entry.name
            guard let id = RecordingID(entry.name) else { continue }
            if let problem = watch.hang(of: id) {
                findings.append(waiting(directory, problem, dryRun: dryRun))
                continue
            }
            var roots: Set<String> = []
            let finding = recover(id, directory, pass) {
                roots = self.roots(of: id, in: directory)
                return roots.isEmpty
            }
            if let finding { findings.append(finding) }
            if !roots.isEmpty { far.append(FarCall(id: id, directory: directory, roots: roots)) }
        }
        watch.begin(far.reduce(into: []) { $0.formUnion($1.roots) })
        let deadline = Clocks.current.now + watch.answerLimit
        for call in far where !isEnding() {
            if let finding = recover(call, pass, deadline, isEnding) { findings.append(finding) }
        }
        return findings.sorted { $0.directory < $1.directory }
    }

    /// Returns the sinks' own directories in which a call may have files.
    private func roots(of id: RecordingID, in directory: String) -> Set<String> {
        if let ledger = FoundLedger(of: id, in: directory)?.ledger {
            return ledger.roots.union(ledger.sinks.flatMap(\.files).compactMap(\.directory))
        }
        // There is no ledger to name its files. If its directory is empty, the call has no files.
        return ((try? FileSystem.list(directory)) ?? []).isEmpty ? [] : Set(roots)
    }

    /// Recovers a call on the calling thread. Blocks.
    /// - Parameters:
    ///   - attempts: the number of attempts to lock the call.
    ///   - isWanted: returns false to leave the call alone. Called while the call is locked.
    /// - Returns: nil if there is nothing to report or the call was left alone.
    private func recover(
        _ id: RecordingID, _ directory: String, _ pass: Pass, attempts: Int = 1, isWanted: () -> Bool = { true }
    ) -> Finding? {
        var finding = Finding(directory: directory)
        do throws(DiskError) {
            var lock = try DirectoryLock(existing: directory)
            for _ in 1..<attempts where lock == nil {
                Thread.sleep(forTimeInterval: 0.01)
                lock = try DirectoryLock(existing: directory)
            }
            guard let lock, leases?.mayRecover(directory, claims: !pass.dryRun) ?? true, isWanted() else {
                return nil
            }
            var call = InterruptedCall(
                self, id, directory, lock, dryRun: pass.dryRun, settles: pass.settling.includes(id))
            guard try call.recover(&finding, pass.onRecovery) else { return nil }
        } catch {
            finding.problems.append(error.description)
        }
        report(finding, dryRun: pass.dryRun)
        return finding
    }

    /// Recovers a call with files in sinks' own directories, on a thread of its own.
    /// Waits as long as the directories answer.
    /// - Parameter deadline: the time by which the directories, already asked, must have answered.
    private func recover(_ call: FarCall, _ pass: Pass, _ deadline: ContinuousClock.Instant, _ isEnding: () -> Bool)
        -> Finding?
    {
        if let problem = silence(of: call.roots, at: deadline) {
            return waiting(call.directory, problem, dryRun: pass.dryRun)
        }
        // The lock was free a moment ago. A child process has a copy of the lock until it runs its program.
        let recovery = DiskQuestion { recover(call.id, call.directory, pass, attempts: 10) }
        while true {
            if let finding = recovery.answer(by: Clocks.current.now + watch.answerLimit) { return finding }
            watch.ask(call.roots)
            guard
                let problem = silence(of: call.roots, at: Clocks.current.now + watch.answerLimit)
                    ?? (isEnding() ? "its recovery is not done yet" : nil)
            else { continue }
            // The recovery may have ended in the meantime. Otherwise it ends with its disk or with the process,
            // and may be ended at any point.
            if let finding = recovery.answer(by: Clocks.current.now) { return finding }
            watch.leave(call.id, recovery, problem)
            return waiting(call.directory, problem, dryRun: pass.dryRun)
        }
    }

    /// Returns the reason why a call with files in these directories must wait; nil if all of them answer.
    private func silence(of roots: Set<String>, at deadline: ContinuousClock.Instant) -> String? {
        let root = roots.sorted().first { store.access.hang(of: $0) != nil } ?? watch.silent(of: roots, at: deadline)
        return root.map { "\($0) does not answer: the call, which has files there, waits" }
    }

    private func waiting(_ directory: String, _ problem: String, dryRun: Bool) -> Finding {
        var finding = Finding(directory: directory)
        finding.problems = [problem]
        report(finding, dryRun: dryRun)
        return finding
    }

    private func report(_ finding: Finding, dryRun: Bool) {
        guard !dryRun else { return }
        if finding.outcome == .published, let name = finding.name {
            logger.notice("interrupted call recovered", metadata: ["recording": "\(name)"])
        }
        for problem in finding.problems where logged.insert(problem) {
            logger.error(
                "part of an interrupted call left in place",
                metadata: ["directory": "\(finding.directory)", "reason": "\(problem)"])
        }
        for file in finding.setAside {
            logger.notice(
                "could not repair a file: moved it aside",
                metadata: ["file": "\(file.name)", "place": "\(file.place)"])
        }
    }
}

/// The problems already logged.
private final class LoggedProblems: Sendable {
    private let problems = Mutex<Set<String>>([])

    /// Adds a problem. Returns false if it was already there.
    func insert(_ problem: String) -> Bool { problems.withLock { $0.insert(problem).inserted } }
}
