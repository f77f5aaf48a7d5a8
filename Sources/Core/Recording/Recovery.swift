import Foundation
package import Logging
import Synchronization

/// Finishes recordings that a program left behind when it died, without a word or in the middle of publishing.
///
/// Each interrupted call has a directory of its own under `.partial`. Its files are made whole by the sinks that wrote
/// them, and published with the state `recovered`. Nothing is deleted but second names of files that are published, and files
/// without a byte: what cannot be understood stays where it is and is named, until an operator settles it. A call whose files are
/// not all there waits: a disk may not be mounted yet. Recovery may be ended at any point and run again.
///
/// Calls with files in sinks' own directories are recovered on threads of their own, and only while these directories answer. A directory that
/// hangs holds up its own calls alone.
package struct Recovery: Sendable {
    /// What was found of one interrupted call.
    package struct Finding: Sendable {
        /// What became of the call.
        package enum Outcome: Sendable {
            /// It was published now, or would be.
            case published
            /// It was published before.
            case wasPublished
            /// It waits as it is.
            case waits
        }

        /// The call's directory.
        package let directory: String
        package var outcome = Outcome.waits
        /// The published name, or the one that it shall have; nil when that is not known.
        package var name: String?
        /// For each file: its name, its frames where they are known, and what was done or is wrong.
        package var files: [(name: String, frames: Int?, note: String)] = []
        /// Files that were put aside because an operator settled the call, and where they are.
        package var setAside: [(name: String, place: String)] = []
        /// Why the call, or a part of it, stays where it is.
        package var problems: [String] = []

        /// Starts the finding of a call of which nothing is known yet.
        package init(directory: String) { self.directory = directory }
    }

    /// The calls whose problems an operator has decided to settle.
    package enum Settlement: Sendable, Equatable {
        case none, all
        case only(RecordingID)

        /// Whether a call is one of them.
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
    /// Directories of sinks' own, in which calls without a manifest may have files too.
    let roots: [String]
    private let logger: Logger
    /// Problems that the log has already: recovery is tried again while calls wait.
    private let logged: LoggedProblems
    /// The programs that share the directory; nil where no other one can.
    let leases: Leases?
    private let watch: RootWatch
    /// Time that a sink's own directory has to answer.
    private let answerLimit: Duration

    /// Time that a sink's own directory has to answer before calls with files there wait.
    package static let answerLimit = Duration.seconds(5)

    /// Prepares a recovery of the interrupted calls of a store, by the sinks of a registry, which can make their files whole.
    /// - Parameter leases: which of the programs that share the directory run; nil where no other one can.
    package init(
        store: RecordingStore, registry: SinkRegistry, roots: [String] = [], leases: Leases? = nil, logger: Logger
    ) {
        self.init(store: store, registry: registry, roots: roots, leases: leases, logger: logger, look: RootWatch.look)
    }

    /// Prepares a recovery that finds out in another way whether a sink's own directory answers, for tests.
    init(
        store: RecordingStore, registry: SinkRegistry, roots: [String] = [], leases: Leases? = nil, logger: Logger,
        answerLimit: Duration = Recovery.answerLimit, look: @escaping @Sendable (String) -> Void
    ) {
        logged = LoggedProblems()
        watch = RootWatch(look: look)
        self.answerLimit = answerLimit
        self.leases = leases
        // A call that waits stays its program's, which is known to be dead.
        var store = store
        store.lease = nil
        self.store = store
        self.registry = registry
        self.roots = roots
        self.logger = logger
    }

    /// Whether the recovery of a call hangs in a directory, and goes on by itself when the directory answers.
    var isHeldUp: Bool { watch.isHeldUp }

    /// How interrupted calls are to be looked at.
    private struct Pass: Sendable {
        let dryRun: Bool
        let settling: Settlement
        let onRecovery: @Sendable (Recording) -> Void
    }

    /// A call with files in directories of sinks' own.
    private struct FarCall {
        let id: RecordingID
        let directory: String
        let roots: Set<String>
    }

    /// Looks at every interrupted call. Blocks, for a bounded time where a sink's own directory hangs. Calls that run, in this program or
    /// another, are not touched.
    /// - Parameters:
    ///   - dryRun: only look, and say what would be done.
    ///   - settling: calls of which what cannot be repaired is put aside, and what is missing is given up.
    ///   - isEnding: whether the program is about to end. Then calls with files in sinks' own directories are left to the next start.
    ///   - onRecovery: told of each recording that was published or changed, from any thread; also later, of one that hung.
    package func run(
        dryRun: Bool = false, settling: Settlement = .none, isEnding: () -> Bool = { false },
        onRecovery: @escaping @Sendable (Recording) -> Void = { _ in }
    ) -> [Finding] {
        let pass = Pass(dryRun: dryRun, settling: settling, onRecovery: onRecovery)
        let partial = store.directory + "/" + RecordingStore.partialDirectoryName
        let entries: [FileSystem.Entry]
        do throws(RecordingError) {
            entries = try FileSystem.list(partial)
        } catch {
            if error.isMissing, !FileStatus.isMissing(store.directory) { return [] }
            var finding = Finding(directory: partial)
            finding.problems = [error.description]
            report(finding, dryRun: dryRun)
            return [finding]
        }
        if !dryRun { Rehearsal.removeLeftovers(in: store.directory) }
        var findings: [Finding] = [], far: [FarCall] = []
        for entry in entries {
            let directory = partial + "/" + entry.name
            guard let id = RecordingID(entry.name) else {
                // Being made now, or when a program died.
                if !dryRun, entry.name.hasPrefix(DirectoryLock.newPrefix), FileSystem.isOld(directory) { removeUnbegun(directory) }
                continue
            }
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
        let deadline = ContinuousClock.now + answerLimit
        for call in far where !isEnding() {
            if let finding = recover(call, pass, deadline, isEnding) { findings.append(finding) }
        }
        return findings.sorted { $0.directory < $1.directory }
    }

    /// The directories of sinks' own that a call may have files in.
    private func roots(of id: RecordingID, in directory: String) -> Set<String> {
        if let manifest = InterimManifest(of: id, in: directory)?.recording {
            return manifest.roots.union(manifest.sinks.flatMap(\.files).compactMap(\.directory))
        }
        // Nothing says where its files are; without a name in its directory, it has none.
        return ((try? FileSystem.list(directory)) ?? []).isEmpty ? [] : Set(roots)
    }

    /// Recovers a call where it is asked for. Returns nil when there is nothing to say about it, or `isWanted` says no, which is asked while the
    /// call is locked. Blocks.
    /// - Parameter attempts: how often the lock is tried for.
    private func recover(
        _ id: RecordingID, _ directory: String, _ pass: Pass, attempts: Int = 1, isWanted: () -> Bool = { true }
    ) -> Finding? {
        var finding = Finding(directory: directory)
        do throws(RecordingError) {
            var lock = try DirectoryLock(existing: directory)
            for _ in 1..<attempts where lock == nil {
                Thread.sleep(forTimeInterval: 0.01)
                lock = try DirectoryLock(existing: directory)
            }
            guard let lock, leases?.mayRecover(directory, claims: !pass.dryRun) ?? true, isWanted() else {
                return nil
            }
            var call = InterruptedCall(self, id, directory, lock, dryRun: pass.dryRun, settles: pass.settling.includes(id))
            guard try call.recover(&finding, pass.onRecovery) else { return nil }
        } catch {
            finding.problems.append(error.description)
        }
        report(finding, dryRun: pass.dryRun)
        return finding
    }

    /// Recovers a call with files in sinks' own directories, on a thread of its own. Waits as long as the directories answer.
    /// - Parameter deadline: when the directories, which have been asked, must have answered.
    private func recover(_ call: FarCall, _ pass: Pass, _ deadline: ContinuousClock.Instant, _ isEnding: () -> Bool) -> Finding? {
        if let problem = silence(of: call.roots, at: deadline) { return waiting(call.directory, problem, dryRun: pass.dryRun) }
        // The lock was free a moment ago. A program that is being started has a copy of it until it runs.
        let recovery = DiskQuestion { recover(call.id, call.directory, pass, attempts: 10) }
        while true {
            if let finding = recovery.answer(by: .now + answerLimit) { return finding }
            watch.ask(call.roots)
            guard let problem = silence(of: call.roots, at: .now + answerLimit) ?? (isEnding() ? "its recovery takes long" : nil) else { continue }
            // It may have come to its end in the meantime. Otherwise it ends with its disk, or with the process, and may be ended at any point.
            if let finding = recovery.answer(by: .now) { return finding }
            watch.leave(call.id, recovery, problem)
            return waiting(call.directory, problem, dryRun: pass.dryRun)
        }
    }

    /// Why a call with files in these directories has to wait, if one of them does not answer.
    private func silence(of roots: Set<String>, at deadline: ContinuousClock.Instant) -> String? {
        let root = roots.sorted().first { store.access.hang(of: $0) != nil } ?? watch.silent(of: roots, at: deadline)
        return root.map { "\($0) does not answer: the call has files there and waits" }
    }

    private func waiting(_ directory: String, _ problem: String, dryRun: Bool) -> Finding {
        var finding = Finding(directory: directory)
        finding.problems = [problem]
        report(finding, dryRun: dryRun)
        return finding
    }

    /// Removes a call's directory that never got its name: there is a manifest in it at most.
    private func removeUnbegun(_ directory: String) {
        guard let lock = try? DirectoryLock(existing: directory), let entries = try? FileSystem.list(directory) else { return }
        defer { withExtendedLifetime(lock) {} }
        for entry in entries where InterimManifest.split(entry.name) != nil { FileSystem.removeName(directory + "/" + entry.name) }
        FileSystem.removeEmptyDirectory(directory)
    }

    private func report(_ finding: Finding, dryRun: Bool) {
        guard !dryRun else { return }
        if finding.outcome == .published, let name = finding.name {
            logger.notice("an interrupted call was recovered", metadata: ["recording": "\(name)"])
        }
        for problem in finding.problems where logged.insert(problem) {
            logger.error("a part of an interrupted call stays where it is", metadata: ["directory": "\(finding.directory)", "reason": "\(problem)"])
        }
        for file in finding.setAside {
            logger.notice("a file that cannot be repaired was put aside", metadata: ["file": "\(file.name)", "place": "\(file.place)"])
        }
    }
}

/// The problems that were logged.
private final class LoggedProblems: Sendable {
    private let problems = Mutex<Set<String>>([])

    /// Adds a problem. Returns false if it was there already.
    func insert(_ problem: String) -> Bool { problems.withLock { $0.insert(problem).inserted } }
}
