import CallreelCore
import Foundation
import Logging
import Synchronization

/// The directories of a recorder: the recordings directory and the sinks' own directories.
/// Their paths are resolved once, at the start.
final class Storage: Sendable {
    /// Time limit for resolving the directories at the start. A directory that takes longer counts as a separate one.
    static let resolveLimit = Duration.seconds(5)

    /// The recordings directory.
    let home: StorageDirectory
    private let store: RecordingStore
    private let stations: [SinkStation]
    private let marks: SpaceMarks
    private let metrics: RecorderMetrics
    /// The directories besides the recordings directory, by path.
    private let known = Mutex<[String: StorageDirectory]>([:])

    /// Describes the directories by their paths. Gives each station its places. Touches no disk.
    init(store: RecordingStore, stations: [SinkStation], marks: SpaceMarks, metrics: RecorderMetrics) {
        self.store = store
        self.stations = stations
        self.marks = marks
        self.metrics = metrics
        home = StorageDirectory(
            store.directory, .init(mustExist: store.mustExist, mode: store.directoryMode, marks: marks),
            freeBytes: metrics.freeBytes(store.directory))
        set { store.absolute($0) == store.absolute(store.directory) ? nil : store.absolute($0) }
    }

    /// The directories besides the recordings directory.
    var others: [StorageDirectory] {
        known.withLock { known in known.keys.sorted().compactMap { known[$0] } }
    }

    /// Every directory.
    var all: [StorageDirectory] { [home] + others }

    /// Returns the directory of a sink's root.
    func directory(_ root: String) -> StorageDirectory? { known.withLock { $0[root] } }

    /// Finds the paths that lead to the recordings directory through links.
    /// Returns after ``resolveLimit`` at the latest, even if a directory hangs.
    func resolve() async {
        let paths = Set(stations.flatMap(\.plan.directories).compactMap { $0 })
        guard !paths.isEmpty else { return }
        let threads = BlockingExecutor(name: "resolve", threads: min(paths.count, 16))
        var roots: [String: String?] = [:]
        await withTaskGroup(of: (String, String??).self) { group in
            for path in paths {
                group.addTask { [store] in (path, await threads.answer(within: Self.resolveLimit) { store.root(path) })
                }
            }
            for await (path, root) in group { if let root { roots.updateValue(root, forKey: path) } }
        }
        let found = roots
        set { found[$0] ?? self.store.absolute($0) }
    }

    /// Gives each station its places.
    /// - Parameter root: returns the root of a path; nil for the recordings directory.
    private func set(_ root: (String) -> String?) {
        known.withLock { known in
            var others: [String: StorageDirectory] = [:]
            for station in stations {
                station.places = station.plan.directories.map { path in
                    guard let root = path.flatMap(root) else { return .init(root: nil, directory: home) }
                    let rules = StorageDirectory.Rules(
                        mustExist: station.plan.envelope.mustExist, mode: store.directoryMode, marks: marks)
                    let directory =
                        others[root] ?? known[root]
                        ?? StorageDirectory(root, rules, freeBytes: metrics.freeBytes(root))
                    others[root] = directory
                    return .init(root: root, directory: directory)
                }
            }
            known = others
        }
    }

    /// Starts a rehearsal in every directory. Does not wait.
    func rehearse(_ logger: Logger) { for directory in all { directory.rehearse(logger) } }

    /// Starts further threads if all are stuck while work waits, and gives up hopeless reads. The heartbeat calls this.
    func relieve() {
        let now = Clocks.current.now
        for directory in all {
            directory.threads.relieve()
            DirectoryReader(directory).relieve(now: now)
        }
    }
}
