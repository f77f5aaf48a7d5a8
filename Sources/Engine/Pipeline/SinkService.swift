import CallreelCore

/// Starts the service of a sink of any type.
struct SinkStart: SinkVisitor {
    let job: SinkJob
    /// Called once, when the sink is finished or has failed for good.
    let whenDone: @Sendable (SinkReport) -> Void

    func visit<Sink: AudioSink & ~Copyable>(_ sink: Sink.Type, options: Sink.Options) {
        SinkService<Sink>.start(options, job, on: job.station.threads, whenDone: whenDone)
    }
}

/// Connects a sink's worker to its queue, which wakes it, and to its thread, which runs it.
// Unchecked: only ``serve()`` touches the worker, and after it the task that closes the sink. The thread's list holds
// this object at most once: the object adds itself as its last step, or the queue adds it after it has gone to rest,
// which is its last step too. The lock of the list or of the queue orders the two.
final class SinkService<Sink: AudioSink & ~Copyable>: ChunkQueue.Consumer, SinkThread.Client, @unchecked Sendable {
    private var worker: SinkWorker<Sink>
    private let queue: ChunkQueue
    private let threads: SinkThreads
    private let thread: SinkThread
    private let whenDone: @Sendable (SinkReport) -> Void

    /// Makes the service of one sink in one call, and starts it.
    /// - Parameter whenDone: called once, when the sink is finished or has failed for good.
    static func start(
        _ options: Sink.Options, _ job: SinkJob, on threads: SinkThreads,
        whenDone: @escaping @Sendable (SinkReport) -> Void
    ) {
        let service = SinkService(options, job, threads, whenDone)
        service.thread.serve(service)
    }

    private init(
        _ options: Sink.Options, _ job: SinkJob, _ threads: SinkThreads,
        _ whenDone: @escaping @Sendable (SinkReport) -> Void
    ) {
        worker = SinkWorker(options, job)
        queue = job.queue
        self.threads = threads
        thread = threads.thread(for: job.group)
        self.whenDone = whenDone
    }

    func wake() { thread.serve(self) }

    func serve() async {
        switch await worker.work() {
        case .paused:
            // A worker with more to take goes behind the others.
            if !queue.rest(self) { thread.serve(self) }
        case .reachedEnd: finish()
        case .done(let report): whenDone(report)
        }
    }

    /// Closes the sink on other threads than those of running calls, because closing waits for the disk.
    private func finish() {
        Task(executorPreference: threads.closing) { [self] in
            if case .done(let report) = await worker.work(mayFinish: true) { whenDone(report) }
        }
    }
}
