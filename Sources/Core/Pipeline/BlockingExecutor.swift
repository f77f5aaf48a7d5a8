import Foundation

#if canImport(Musl)
    import Musl
#elseif canImport(Glibc)
    import Glibc
#endif

/// Threads on which code may block: sinks write here, files are synced and hashed here, and nowhere else.
///
/// As many threads as there are cores serve the jobs, unless told otherwise. When all of them have been stuck for a moment while
/// jobs wait, more are made, up to a limit, so that a destination that blocks for ever does not hold up the others. Surplus
/// threads end when they have been idle for a while. One task's jobs run one after the other, as in any executor.
///
/// Work comes in bursts: an event loop reads a group of calls and wakes the sinks of each. A thread that has nothing more to do
/// therefore naps for a moment before it goes to sleep, and finds the whole burst instead of being woken for each call.
// Unchecked: every stored variable is read and written only while `condition` is locked.
package final class BlockingExecutor: TaskExecutor, @unchecked Sendable {
    /// How many threads serve the jobs as long as none is stuck, unless told otherwise.
    static let coreCount = max(2, ProcessInfo.processInfo.activeProcessorCount)
    /// How many threads may exist at once, unless told otherwise. Beyond it, jobs wait for one to come free.
    package static let threadLimit = 64
    /// How long a surplus thread waits for work before it ends, unless told otherwise.
    static let idleLimit: TimeInterval = 10
    /// The nice value of threads in the background: about a tenth of a processor that somebody else wants (sched(7)). Not the
    /// highest one: on a machine that is busy for hours, what is done here still has to be done.
    static let niceness: Int32 = 10
    /// How long a thread naps, in microseconds: longer than a burst, and nothing beside the interval at which sockets are read.
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
    /// Threads that look for work again in a moment, without being woken.
    private var napping = 0
    /// Jobs begun so far, and how many that were when ``relieve()`` last looked.
    private var begun = 0
    private var begunBefore = 0

    /// Makes an executor without threads; they come with the work.
    /// - Parameters:
    ///   - threads: how many serve the jobs as long as none is stuck; nil is as many as there are cores.
    ///   - threadLimit: how many may exist at once.
    ///   - idleLimit: seconds that a surplus thread waits for work before it ends.
    ///   - isBackground: whether the threads leave the processors to others that want them, as far as the system can do that.
    package convenience init(name: String, threads: Int? = nil, threadLimit: Int = BlockingExecutor.threadLimit, isBackground: Bool = false) {
        self.init(name: name, threads: threads, threadLimit: threadLimit, idleLimit: Self.idleLimit, isBackground: isBackground)
    }

    init(name: String, threads: Int?, threadLimit: Int, idleLimit: TimeInterval, isBackground: Bool = false) {
        self.idleLimit = idleLimit
        self.name = name
        self.isBackground = isBackground
        self.threadLimit = threadLimit
        coreThreads = threads ?? Self.coreCount
    }

    /// Threads that there are now.
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
        // A thread that was woken a moment ago still counts as idle, with a job that still counts as waiting.
        if jobs.count - nextJob > idle, threads < coreThreads { startThread() }
        condition.unlock()
    }

    /// Makes a further thread when jobs wait and none was begun since the last call: all threads are stuck.
    func relieve() {
        condition.lock()
        if nextJob < jobs.count, idle + napping == 0, begun == begunBefore, threads < threadLimit { startThread() }
        begunBefore = begun
        condition.unlock()
    }

    /// Starts a thread. The lock is held.
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
        // After the start: before it, there is nothing on Linux that could have the name.
        thread.name = "sink \(name)"
    }

    /// Gives the calling thread a small share of the processors when others want them.
    private static func stepBack() {
        // On Linux nice values belong to threads (sched(7)), and 0 is the calling one. Where it is refused, nothing is lost but time.
        #if canImport(Musl)
            setpriority(PRIO_PROCESS, 0, max(niceness, getpriority(PRIO_PROCESS, 0)))
        #elseif canImport(Glibc)
            let process = __priority_which_t(PRIO_PROCESS.rawValue)
            setpriority(process, 0, max(niceness, getpriority(process, 0)))
        #endif
    }

    /// What a thread does: jobs in the order in which they came, until it is surplus and idle.
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

    /// Waits without a limit.
    private func wait() -> Bool {
        condition.wait()
        return true
    }

    /// Runs code that may block on these threads and waits for its result without blocking the caller.
    package func run<Result: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure> = await withTaskExecutorPreference(self) {
            do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
        }
        return try outcome.get()
    }
}
