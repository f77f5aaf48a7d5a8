import Foundation
import Logging
import Synchronization

/// The directories of a recorder: the recordings directory, and those of its sinks. They are resolved once, at the start.
final class Storage: Sendable {
    /// Where one sink may write: its directory, then its fallback.
    struct Place: Sendable {
        /// The sink's own directory; nil is the recordings directory.
        let root: String?
        let directory: StorageDirectory
    }

    private struct State {
        /// By sink.
        var places: [[Place]] = []
        /// The directories besides the recordings directory, by path.
        var others: [String: StorageDirectory] = [:]
    }

    /// Time that resolving the directories may take at the start. One that takes longer counts as a directory of its own.
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
        home = StorageDirectory(store.directory, mustExist: store.mustExist, mode: store.directoryMode, marks: marks, metrics: metrics)
        set { store.absolute($0) == store.absolute(store.directory) ? nil : store.absolute($0) }
    }

    /// The places of a sink, by its index in the configuration. Touches no disk.
    func places(of sink: Int) -> [Place] { state.withLock { $0.places[sink] } }

    /// The directories besides the recordings directory.
    var others: [StorageDirectory] { state.withLock { state in state.others.keys.sorted().compactMap { state.others[$0] } } }

    /// Every directory.
    var all: [StorageDirectory] { [home] + others }

    /// The directory of a sink's root.
    func directory(_ root: String) -> StorageDirectory? { state.withLock { $0.others[root] } }

    /// Finds out which paths lead to the recordings directory by links. Returns in a bounded time, whatever hangs.
    func resolve() async {
        let paths = Set(plans.flatMap { [$0.envelope.directory, $0.envelope.fallback] }.compactMap { $0 })
        guard !paths.isEmpty else { return }
        let threads = BlockingExecutor(name: "resolve", threads: min(paths.count, 16))
        var roots: [String: String?] = [:]
        await withTaskGroup(of: (String, String??).self) { group in
            for path in paths {
                group.addTask { [store] in (path, await threads.answer(within: Self.resolveLimit) { store.root(path) }) }
            }
            for await (path, root) in group { if let root { roots.updateValue(root, forKey: path) } }
        }
        let found = roots
        set { found[$0] ?? self.store.absolute($0) }
    }

    /// Fills the places by the root of each path.
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
                            root, mustExist: plan.envelope.mustExist, mode: store.directoryMode, marks: marks, metrics: metrics)
                    others[root] = directory
                    return Place(root: root, directory: directory)
                }
            }
            state.others = others
        }
    }

    /// Starts a rehearsal everywhere. Does not wait.
    func rehearse(_ logger: Logger) { for directory in all { directory.rehearse(logger) } }

    /// Gets help for threads that are stuck while there is work, and gives up reads that wait for nothing. The heartbeat calls this.
    func relieve() {
        let now = ContinuousClock.now
        for directory in all {
            directory.threads.relieve()
            directory.relieveReaders(now: now)
        }
    }
}

/// The first of several answers to a question.
final class FirstAnswer<Answer: Sendable>: Sendable {
    private let waiting: Mutex<CheckedContinuation<Answer, Never>?>

    init(_ continuation: CheckedContinuation<Answer, Never>) { waiting = Mutex(continuation) }

    /// Gives an answer; all but the first are nothing.
    func give(_ answer: Answer) {
        waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }?.resume(returning: answer)
    }
}

extension BlockingExecutor {
    /// Runs code that may hang, and waits for its result for a bounded time; then nil. The code goes on by itself.
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
