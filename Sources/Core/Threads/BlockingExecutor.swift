import Foundation

/// An executor whose threads may block. Sinks write here, and Callreel syncs and hashes files here, and nowhere else.
///
/// By default, one thread per core serves the jobs. When all threads are stuck for a moment while jobs wait,
/// ``relieve()`` starts one more, up to a limit. So a destination that blocks for ever does not hold up the others.
/// Surplus threads end after an idle period. The jobs of one task run one after the other, as in any executor.
///
/// Work comes in bursts: an event loop reads a group of calls and wakes the sinks of each. A thread without work
/// therefore naps for a moment before it sleeps. It then finds the whole burst, and need not be woken for each call.
// Unchecked: every stored variable is read and written only while `condition` is locked.
package final class BlockingExecutor: TaskExecutor, @unchecked Sendable {
    /// The default number of threads that serve the jobs while none is stuck: one per core, and at least 2.
    package static let coreCount = max(2, ProcessInfo.processInfo.activeProcessorCount)
    /// The default limit of threads at once. Beyond it, jobs wait for a free thread.
    package static let threadLimit = 64
    /// The default time that a surplus thread waits for work before it ends, in seconds.
    static let idleLimit: TimeInterval = 10
    /// The nice value of background threads: about a tenth of a processor when other threads want it (sched(7)).
    /// Not the maximum: on a machine that is busy for hours, background work must still get done.
    static let niceness: Int32 = 10
    /// Length of a nap in microseconds: longer than a burst, and far below the interval at which sockets are read.
    private static let nap: UInt32 = 1000

    private let name: String
    private let coreThreads: Int
    private let threadLimit: Int
    private let idleLimit: TimeInterval
    private let isBackground: Bool
    private let condition = NSCondition()
    private var jobs: [UnownedJob] = []
    private var nextJob = 0
    private var threads = 0
    private var idle = 0
    /// Threads that nap. They look for work again without being woken.
    private var napping = 0
    /// Jobs begun so far; `begunBefore` is the number at the last ``relieve()``.
    private var begun = 0
    private var begunBefore = 0

    /// Makes an executor without threads. They start as jobs arrive.
    /// - Parameters:
    ///   - name: the threads are called "sink" and this name.
    ///   - threads: threads that serve the jobs while none is stuck; nil is one per core, and at least 2.
    ///   - threadLimit: the most threads at once.
    ///   - isBackground: true lowers the threads' priority, as far as the system can do that.
    package convenience init(
        name: String, threads: Int? = nil, threadLimit: Int = BlockingExecutor.threadLimit, isBackground: Bool = false
    ) {
        self.init(
            name: name, threads: threads, threadLimit: threadLimit, idleLimit: Self.idleLimit,
            isBackground: isBackground)
    }

    init(name: String, threads: Int?, threadLimit: Int, idleLimit: TimeInterval, isBackground: Bool = false) {
        self.idleLimit = idleLimit
        self.name = name
        self.isBackground = isBackground
        self.threadLimit = threadLimit
        coreThreads = threads ?? Self.coreCount
    }

    /// The present number of threads.
    var threadCount: Int {
        condition.lock()
        defer { condition.unlock() }
        return threads
    }

    /// Takes a job from the Swift runtime.
    package func enqueue(_ job: consuming ExecutorJob) {
        condition.lock()
        jobs.append(UnownedJob(job))
        if idle > 0 { condition.signal() }
        // A thread that was woken a moment ago still counts as idle, and its job still counts as waiting.
        if jobs.count - nextJob > idle, threads < coreThreads { startThread() }
        condition.unlock()
    }

    /// Starts one more thread if jobs wait and none was begun since the last call: all threads are stuck.
    package func relieve() {
        condition.lock()
        if nextJob < jobs.count, idle + napping == 0, begun == begunBefore, threads < threadLimit { startThread() }
        begunBefore = begun
        condition.unlock()
    }

    /// Starts a thread. The caller holds the lock.
    private func startThread() {
        threads += 1
        let thread = Thread { [self] in
            if isBackground { Self.stepBack() }
            work()
        }
        #if canImport(Darwin)
            if isBackground { thread.qualityOfService = .utility }
        #endif
        thread.start()
        // Set after the start: before it, Linux has no thread that could take the name.
        thread.name = "sink \(name)"
    }

    /// Lowers the calling thread's priority: it gets a small share of the processors when others want them.
    private static func stepBack() {
        // On Linux, nice values belong to threads (sched(7)), and 0 is the calling thread. A refusal costs only time.
        #if canImport(Musl)
            setpriority(PRIO_PROCESS, 0, max(niceness, getpriority(PRIO_PROCESS, 0)))
        #elseif canImport(Glibc)
            let process = __priority_which_t(PRIO_PROCESS.rawValue)
            setpriority(process, 0, max(niceness, getpriority(process, 0)))
        #endif
    }

    /// Runs jobs in their order of arrival, until the thread is surplus and idle. Every thread runs this.
    private func work() {
        condition.lock()
        var hasNapped = true
        while true {
            if nextJob < jobs.count {
                hasNapped = false
                let job = jobs[nextJob]
                nextJob += 1
                begun += 1
                if nextJob == jobs.count {
                    jobs.removeAll(keepingCapacity: true)
                    nextJob = 0
                }
                condition.unlock()
                unsafe job.runSynchronously(on: asUnownedTaskExecutor())
                condition.lock()
                continue
            }
            if !hasNapped {
                hasNapped = true
                napping += 1
                condition.unlock()
                usleep(Self.nap)
                condition.lock()
                napping -= 1
                continue
            }
            idle += 1
            let woken = threads > coreThreads ? condition.wait(until: Date(timeIntervalSinceNow: idleLimit)) : wait()
            idle -= 1
            if !woken, nextJob == jobs.count, threads > coreThreads { break }
        }
        threads -= 1
        condition.unlock()
    }

    /// Waits for a signal without a time limit. Always returns true.
    private func wait() -> Bool {
        condition.wait()
        return true
    }

    /// Runs code that may block on these threads. Waits for its result without blocking the caller.
    package func run<Result: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure> = await withTaskExecutorPreference(self) {
            do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
        }
        return try outcome.get()
    }
}
