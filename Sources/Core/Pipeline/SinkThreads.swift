import Synchronization

/// The threads of one sink entry: as many as there are cores, with every call's sink on one of them from its beginning to its end.
///
/// So the same thread, and mostly the same core, has what a sink needs at hand, and threads do not queue for each other's work. A
/// thread that is stuck gets help, which then serves the sinks that wait behind it.
final class SinkThreads: Sendable {
    private let executors: [BlockingExecutor]
    /// How many sinks were given a thread so far.
    private let assigned = Atomic(0)

    /// Makes the threads of an entry; they come with the work.
    init(name: String) {
        let cores = BlockingExecutor.coreCount
        executors = (0..<cores).map { _ in
            BlockingExecutor(name: name, threads: 1, threadLimit: max(2, BlockingExecutor.threadLimit / cores))
        }
    }

    /// The thread for a call's sink, in turn.
    func next() -> BlockingExecutor {
        executors[assigned.wrappingAdd(1, ordering: .relaxed).oldValue % executors.count]
    }

    /// Gets help for threads that are stuck while there is work. The heartbeat calls this.
    func relieve() { for executor in executors { executor.relieve() } }
}
