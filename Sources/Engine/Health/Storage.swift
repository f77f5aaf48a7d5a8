import CallreelCore
import Foundation
import Logging
import Synchronization

/// The directories of a recorder: the recordings directory and the sinks' own directories.
/// Their paths are resolved once, at the start.
final class Storage: Sendable {
    /// A directory for a sink's files: its own or its fallback.
    struct Place: Sendable {
        /// The path of the sink's own directory; nil for the recordings directory.
        let root: String?
        let directory: StorageDirectory
    }

    private struct State {
        /// The places of each sink, by its index in the configuration: its directory, then its fallback.
        var places: [[Place]] = []
        /// The directories besides the recordings directory, by path.
        var others: [String: StorageDirectory] = [:]
    }

    /// Time limit for resolving the directories at the start. A directory that takes longer counts as a separate one.
    static let resolveLimit = Duration.seconds(5)

    /// The recordings directory.
    let home: StorageDirectory
    private let store: RecordingStore
    private let plans: [SinkPlan]
    private let marks: SpaceMarks
    private let metrics: RecorderMetrics
    private let state = Mutex(State())

    /// Describes the directories by their paths. Touches no disk.
    init(store: RecordingStore, plans: [SinkPlan], marks: SpaceMarks, metrics: RecorderMetrics) {
        self.store = store
        self.plans = plans
        self.marks = marks
        self.metrics = metrics
        home = StorageDirectory(
            store.directory, mustExist: store.mustExist, mode: store.directoryMode, marks: marks, metrics: metrics)
        set { store.absolute($0) == store.absolute(store.directory) ? nil : store.absolute($0) }
    }

    /// Returns the places of a sink, by its index in the configuration. Touches no disk.
    func places(of sink: Int) -> [Place] { state.withLock { $0.places[sink] } }

    /// The directories besides the recordings directory.
    var others: [StorageDirectory] {
        state.withLock { state in state.others.keys.sorted().compactMap { state.others[$0] } }
    }

    /// Every directory.
    var all: [StorageDirectory] { [home] + others }

    /// Returns the directory of a sink's root.
    func directory(_ root: String) -> StorageDirectory? { state.withLock { $0.others[root] } }

    /// Finds the paths that lead to the recordings directory through links.
    /// Returns after ``resolveLimit`` at the latest, even if a directory hangs.
    func resolve() async {
        let paths = Set(plans.flatMap { [$0.envelope.directory, $0.envelope.fallback] }.compactMap { $0 })
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

    /// Fills the places.
    /// - Parameter root: returns the root of a path; nil for the recordings directory.
    private func set(_ root: (String) -> String?) {
        state.withLock { state in
            var others: [String: StorageDirectory] = [:]
            state.places = plans.map { plan in
                let paths: [String?] = [plan.envelope.directory] + (plan.envelope.fallback.map { [$0] } ?? [])
                return paths.map { path in
                    guard let root = path.flatMap(root) else { return Place(root: nil, directory: home) }
                    let directory =
                        others[root] ?? state.others[root]
                        ?? StorageDirectory(
                            root, mustExist: plan.envelope.mustExist, mode: store.directoryMode, marks: marks,
                            metrics: metrics)
                    others[root] = directory
                    return Place(root: root, directory: directory)
                }
            }
            state.others = others
        }
    }

    /// Starts a rehearsal in every directory. Does not wait.
    func rehearse(_ logger: Logger) { for directory in all { directory.rehearse(logger) } }

    /// Starts further threads if all are stuck while work waits, and gives up hopeless reads. The heartbeat calls this.
    func relieve() {
        let now = ContinuousClock.now
        for directory in all {
            directory.threads.relieve()
            DirectoryReader(directory).relieve(now: now)
        }
    }
}

/// Resumes a task with the first of several answers.
final class FirstAnswer<Answer: Sendable>: Sendable {
    private let waiting: Mutex<CheckedContinuation<Answer, Never>?>

    init(_ continuation: CheckedContinuation<Answer, Never>) { waiting = Mutex(continuation) }

    /// Gives an answer. Ignores all answers after the first.
    func give(_ answer: Answer) {
        waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }?.resume(returning: answer)
    }
}

extension BlockingExecutor {
    /// Runs code that may hang, and returns its result. Returns nil if the code takes longer than the limit.
    /// The code then continues.
    func answer<Result: Sendable>(within limit: Duration, _ body: @escaping @Sendable () -> Result) async -> Result? {
        await withCheckedContinuation { continuation in
            let first = FirstAnswer<Result?>(continuation)
            Task(executorPreference: self) { first.give(body()) }
            Task {
                try? await Task.sleep(for: limit)
                first.give(nil)
            }
        }
    }
}
