import Foundation
package import Logging
import Synchronization

/// Finishes recordings that a program left behind when it died, without a word or in the middle of publishing.
///
/// Each interrupted call has a directory of its own under `.partial`. Its files are made whole by the sinks that wrote
/// them, and published with the state `recovered`. Nothing is deleted but second names of files that are published, and files
/// without a byte: what cannot be understood stays where it is and is named, until an operator settles it. A call whose files are
/// not all there waits: a disk may not be mounted yet. Recovery may be ended at any point and run again.
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

    /// Prepares a recovery of the interrupted calls of a store, by the sinks of a registry, which can make their files whole.
    /// - Parameter leases: which of the programs that share the directory run; nil where no other one can.
    package init(
        store: RecordingStore, registry: SinkRegistry, roots: [String] = [], leases: Leases? = nil, logger: Logger
    ) {
        logged = LoggedProblems()
        self.leases = leases
        // A call that waits stays its program's, which is known to be dead.
        var store = store
        store.lease = nil
        self.store = store
        self.registry = registry
        self.roots = roots
        self.logger = logger
    }

    /// Looks at every interrupted call. Blocks. Calls that run, in this program or another, are not touched.
    /// - Parameters:
    ///   - dryRun: only look, and say what would be done.
    ///   - settling: calls of which what cannot be repaired is put aside, and what is missing is given up.
    ///   - onRecovery: told of each recording that was published or changed.
    package func run(dryRun: Bool = false, settling: Settlement = .none, onRecovery: (Recording) -> Void = { _ in }) -> [Finding] {
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
        return entries.compactMap { entry in
            let directory = partial + "/" + entry.name
            guard let id = RecordingID(entry.name) else {
                // Being made now, or when a program died.
                if !dryRun, entry.name.hasPrefix(DirectoryLock.newPrefix), FileSystem.isOld(directory) { removeUnbegun(directory) }
                return nil
            }
            var finding = Finding(directory: directory)
            do throws(RecordingError) {
                guard let lock = try DirectoryLock(existing: directory), leases?.mayRecover(directory, claims: !dryRun) ?? true else {
                    return nil
                }
                var call = InterruptedCall(self, id, directory, lock, dryRun: dryRun, settles: settling.includes(id))
                guard try call.recover(&finding, onRecovery) else { return nil }
            } catch {
                finding.problems.append(error.description)
            }
            report(finding, dryRun: dryRun)
            return finding
        }
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
