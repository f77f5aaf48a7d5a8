/// One sink's worker as its queue and its thread know it: woken by the one, served by the other.
// Unchecked: the worker is touched by ``serve()``, and by the task that closes the sink once that is over. The thread's list has this
// object once at a time: it is put there by itself, as the last thing that it does, or by the queue, which wakes it only after it has gone
// to rest, the last thing too. The list's or the queue's lock is between the two.
final class SinkService<Sink: AudioSink & ~Copyable>: ChunkQueue.Consumer, SinkThread.Client, @unchecked Sendable {
    private var worker: SinkWorker<Sink>
    private let queue: ChunkQueue
    private let threads: SinkThreads
    private let thread: SinkThread
    private let whenDone: @Sendable (SinkReport) -> Void

    /// Makes the service of one sink in one call, and has it served from now on.
    /// - Parameter whenDone: called once, when the call has ended or the sink has failed for good.
    static func start(_ options: Sink.Options, _ job: SinkJob, on threads: SinkThreads, whenDone: @escaping @Sendable (SinkReport) -> Void) {
        let service = SinkService(options, job, threads, whenDone)
        service.thread.serve(service)
    }

    private init(_ options: Sink.Options, _ job: SinkJob, _ threads: SinkThreads, _ whenDone: @escaping @Sendable (SinkReport) -> Void) {
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
            // Who has more to take goes behind the others.
            if !queue.rest(self) { thread.serve(self) }
        case .reachedEnd: finish()
        case .done(let report): whenDone(report)
        }
    }

    /// Has the sink closed apart from those that still have a call: it waits for the disk.
    private func finish() {
        Task(executorPreference: threads.closing) { [self] in
            if case .done(let report) = await worker.work(mayFinish: true) { whenDone(report) }
        }
    }
}
