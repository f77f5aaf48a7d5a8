import CallreelCore
import DequeModule
import Synchronization

/// The threads of one sink entry: one per core, and at least 2. A call's sink stays on one of them for the whole call.
///
/// So the same thread, and mostly the same core, has a sink's data at hand, and threads do not queue for each other's
/// work. Sinks are closed on other threads: closing waits for the disk, and must not hold up the calls that go on.
final class SinkThreads: Sendable {
    private let threads: [SinkThread]
    /// Number of sinks without a group that were given a thread so far.
    private let assigned = Atomic(0)
    /// The threads on which sinks are closed.
    let closing: BlockingExecutor

    /// Makes the threads of an entry. They start with the first work.
    init(name: String) {
        closing = BlockingExecutor(name: name)
        threads = (0..<BlockingExecutor.coreCount).map { _ in SinkThread(name: name) }
    }

    /// Returns the thread for a call's sink.
    ///
    /// All calls of a group get the same thread, because they are read together and so wake one thread. Sinks without a
    /// group get the threads in turn.
    func thread(for group: Int? = nil) -> SinkThread {
        threads[(group ?? assigned.wrappingAdd(1, ordering: .relaxed).oldValue) % threads.count]
    }

    /// Starts a further thread beside each stuck thread that has work. The heartbeat calls this.
    func relieve() {
        for thread in threads { thread.relieve() }
        closing.relieve()
    }
}

/// A thread, and the sinks that it serves while they have work.
///
/// One task serves all waiting sinks, one after the other. So a call's sink costs no task of its own and no switch
/// between tasks. If a sink suspends, another task serves those behind it. If a sink blocks the thread, ``relieve()``
/// starts a further thread for them.
final class SinkThread: Sendable {
    /// A sink to be served.
    protocol Client: AnyObject, Sendable {
        /// Does the client's pending work. Called once for each ``SinkThread/serve(_:)``, on the thread or on one that
        /// ``SinkThread/relieve()`` started.
        func serve() async
    }

    /// Clients per task. Then the thread's other jobs get their turn, and ``relieve()`` sees that it is not stuck.
    private static let clientsOfTask = 32

    private struct State {
        /// The clients to serve, in the order in which they called.
        var callers: Deque<any Client> = []
        /// A task was started and has not yet looked at the callers.
        var isTaskComing = false

        /// Returns true if a task has to be started. The caller must then start it.
        mutating func callTask() -> Bool {
            defer { isTaskComing = true }
            return !isTaskComing
        }
    }

    let executor: BlockingExecutor
    private let state = Mutex(State())

    /// Makes a thread. It starts with the first work.
    init(name: String) {
        executor = BlockingExecutor(
            name: name, threads: 1, threadLimit: max(2, BlockingExecutor.threadLimit / BlockingExecutor.coreCount))
    }

    /// Serves a client once, after all earlier callers. Never blocks.
    func serve(_ client: any Client) {
        let isTaskNeeded = state.withLock { state in
            state.callers.append(client)
            return state.callTask()
        }
        if isTaskNeeded { startTask() }
    }

    /// Starts a further thread if this one is stuck while there is work.
    func relieve() { executor.relieve() }

    private func startTask() {
        Task(executorPreference: executor) { [self] in
            state.withLock { $0.isTaskComing = false }
            for _ in 0..<Self.clientsOfTask {
                guard let client = takeCaller() else { return }
                await client.serve()
            }
        }
    }

    /// Removes the next client. If others are waiting, first makes sure that a task is on its way to them, because this
    /// client may block.
    private func takeCaller() -> (any Client)? {
        let (client, isTaskNeeded) = state.withLock { state in
            let client = state.callers.popFirst()
            return (client, !state.callers.isEmpty && state.callTask())
        }
        if isTaskNeeded { startTask() }
        return client
    }
}
