import DequeModule
import Synchronization

/// The threads of one sink entry: as many as there are cores, with every call's sink on one of them as long as the call lasts.
///
/// So the same thread, and mostly the same core, has what a sink needs at hand, and threads do not queue for each other's work. What
/// waits for the disk at a call's end is done on other threads, so that it holds up no call that goes on.
final class SinkThreads: Sendable {
    private let threads: [SinkThread]
    /// How many sinks of no group were given a thread so far.
    private let assigned = Atomic(0)
    /// Where sinks are closed.
    let closing: BlockingExecutor

    /// Makes the threads of an entry; they come with the work.
    init(name: String) {
        closing = BlockingExecutor(name: name)
        threads = (0..<BlockingExecutor.coreCount).map { _ in SinkThread(name: name) }
    }

    /// The thread for a call's sink: the same for all calls of a group, which are read together and so wake one thread; in turn for others.
    func thread(for group: Int? = nil) -> SinkThread {
        threads[(group ?? assigned.wrappingAdd(1, ordering: .relaxed).oldValue) % threads.count]
    }

    /// Gets help for threads that are stuck while there is work. The heartbeat calls this.
    func relieve() {
        for thread in threads { thread.relieve() }
        closing.relieve()
    }
}

/// A thread with the sinks that it serves, each as long as it has something to do.
///
/// One task serves whoever has called, one after the other, so that a call's sink costs no task of its own and no switch between tasks.
/// A sink that suspends lets another task serve those behind it; one that blocks the thread gets help, which does the same.
final class SinkThread: Sendable {
    /// Who is served.
    protocol Client: AnyObject, Sendable {
        /// Does what there is to do. Called once for each ``SinkThread/serve(_:)``, on the thread or on its help.
        func serve() async
    }

    /// How many one task serves. Then it is the turn of what else the thread has to do, which also shows that it is not stuck.
    private static let clientsOfTask = 32

    private struct State {
        /// Who has called, and in which order.
        var callers: Deque<any Client> = []
        /// Whether a task will look who has called.
        var isTaskComing = false

        /// Says whether a task has to be started, which is then on its way.
        mutating func callTask() -> Bool {
            defer { isTaskComing = true }
            return !isTaskComing
        }
    }

    let executor: BlockingExecutor
    private let state = Mutex(State())

    /// Makes a thread; it comes with the work.
    init(name: String) {
        executor = BlockingExecutor(
            name: name, threads: 1, threadLimit: max(2, BlockingExecutor.threadLimit / BlockingExecutor.coreCount))
    }

    /// Serves a client once, after those who called before. Never blocks.
    func serve(_ client: any Client) {
        let isTaskNeeded = state.withLock { state in
            state.callers.append(client)
            return state.callTask()
        }
        if isTaskNeeded { startTask() }
    }

    /// Gets help when the thread is stuck while there is work.
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

    /// The next client. As long as others wait behind it, a task is on its way to them: this one may not come back soon.
    private func takeCaller() -> (any Client)? {
        let (client, isTaskNeeded) = state.withLock { state in
            let client = state.callers.popFirst()
            return (client, !state.callers.isEmpty && state.callTask())
        }
        if isTaskNeeded { startTask() }
        return client
    }
}
