import Logging
import Metrics

/// What became of a sink in one call, in the framework's own counting.
struct SinkReport: Sendable {
    /// Frames of the call's audio in its files, or taken by it where it makes none.
    var written = 0
    /// Frames of silence in place of dropped ones, counted in the same way.
    var silence = 0
    /// What it left, in the order of the timeline.
    var files: [CallFile] = []
    /// What the sink itself reported.
    var details: [String: JSONValue] = [:]
    /// Whether it could be opened, in its directory or in its fallback.
    var hasOpened = false
    /// Whether it came to its regular end.
    var isFinished = false
    /// Why it failed, or had to go on in its fallback.
    var error: SinkError?
}

/// One sink's part in one call.
struct SinkJob: Sendable {
    /// The places to write to: the first, and the fallback if there is one.
    let contexts: [SinkContext]
    let queue: ChunkQueue
    let envelope: SinkEnvelope
    let health: SinkHealth
    let metrics: SinkMetrics
}

/// Drives one sink through one call: open, write, checkpoint, finish; and once more in its fallback, where the first place fails.
enum SinkWorker<Sink: AudioSink & ~Copyable> {
    /// Seconds of audio that are held for a fallback. What a sink has taken but has not yet in its file must fit: an encoder's block,
    /// a writer's buffer.
    private static var recentSeconds: Double { 5 }

    private struct Progress {
        var report = SinkReport()
        var account = SinkAccount()
        var recent: RecentChunks
        /// Where the sink that is at work began.
        var begin = 0
        /// The end of the gap that is being written.
        var gapEnd = 0
        /// The call is over, and there is nothing more to write.
        var isClosing = false
    }

    /// Runs until the call has ended or the sink has failed for good. Runs on the caller's executor, where blocking is allowed.
    static func run(options: Sink.Options, job: SinkJob) async -> SinkReport {
        let context = job.contexts[0]
        let held = job.contexts.count > 1 ? context.format.frames(seconds: recentSeconds) : 0
        var progress = Progress(recent: RecentChunks(limit: held))
        for (index, context) in job.contexts.enumerated() {
            do throws(SinkError) {
                try await serve(options, context, job, &progress)
                break
            } catch {
                progress.report.error = progress.report.error.map { $0.followed(by: error) } ?? error
            }
            let isLast = index + 1 == job.contexts.count || progress.isClosing
            // What comes now is nothing to a sink that has failed for good: the call does not wait for its files to be looked at.
            if isLast { job.queue.fail() }
            salvage(context, &progress)
            if isLast { break }
            context.logger.error(
                "sink failed, and goes on in its fallback",
                metadata: ["reason": "\(progress.report.error?.description ?? "")", "fallback": "\(job.contexts[index + 1].directory)"])
        }
        if !progress.report.hasOpened { job.health.failed(progress.report.error?.description ?? "") }
        progress.report.written = progress.account.written
        progress.report.silence = progress.account.silence
        return progress.report
    }

    /// Serves the call with one sink, from where the one before it left off.
    private static func serve(
        _ options: Sink.Options, _ context: SinkContext, _ job: SinkJob, _ progress: inout Progress
    ) async throws(SinkError) {
        try context.prepareDirectory()
        var sink = try await Sink(options: options, context: context)
        progress.report.hasOpened = true
        job.health.opened()
        for chunk in progress.recent.from(progress.begin) {
            try await sink.write(chunk)
            progress.account.advance(to: chunk.end)
            job.queue.noteProgress()
        }
        try await writeGap(to: &sink, context.format, job.queue, &progress)
        let sync = Duration.seconds(job.envelope.sync)
        var nextSync = ContinuousClock.now + sync
        loop: while true {
            switch await job.queue.next() {
            case .chunk(let chunk):
                progress.recent.append(chunk)
                let begin = ContinuousClock.now
                try await sink.write(chunk)
                let end = ContinuousClock.now
                job.metrics.writeTime.record(duration: end - begin)
                job.metrics.lag.record(duration: end - chunk.receivedAt)
                progress.account.advance(to: chunk.end)
            case .gap(let frames, let start):
                progress.account.noteSilence(start.frames..<start.frames + frames)
                progress.gapEnd = start.frames + frames
                try await writeGap(to: &sink, context.format, job.queue, &progress)
            case .checkpoint:
                try await sink.checkpoint()
                if sync > .zero, ContinuousClock.now >= nextSync {
                    try context.synchronizeFiles()
                    nextSync = .now + sync
                }
            case .end:
                break loop
            }
        }
        progress.isClosing = true
        let begin = ContinuousClock.now
        let receipt = try await sink.finish()
        job.metrics.finishTime.record(duration: .now - begin)
        progress.account.keep(progress.begin..<progress.account.position)
        progress.report.files += context.files { receipt.framesByFile[$0] }
        progress.report.details = receipt.details
        progress.report.isFinished = true
    }

    /// Writes what is left of the gap in pieces of at most a second, so that a long one takes no memory.
    private static func writeGap(to sink: inout Sink, _ format: AudioFormat, _ queue: ChunkQueue, _ progress: inout Progress) async throws(SinkError)
    {
        while progress.account.position < progress.gapEnd {
            let start = progress.account.position
            let piece = PCMChunk.silence(frames: min(progress.gapEnd - start, format.sampleRate), format: format, start: FramePosition(start))
            progress.recent.append(piece)
            try await sink.write(piece)
            progress.account.advance(to: piece.end)
            queue.noteProgress()
        }
    }

    /// Makes whole what a failed sink left, finds out how much of the call is in it, and where another sink has to go on.
    private static func salvage(_ context: SinkContext, _ progress: inout Progress) {
        var frames: [String: Int] = [:]
        // Where nobody knows how to look into the files, the sink's word is taken for what it took.
        var isKnown = context.dropEmptyFiles()
        for name in context.createdFiles {
            do throws(SinkError) {
                guard let found = try Sink.repair(context.directory + "/" + name, format: context.format, dryRun: false) else { continue }
                frames[name] = found.frames
            } catch {
                // It stays as it is, and counts for nothing.
                context.logger.error("what a failed sink left cannot be made whole", metadata: ["reason": "\(error)"])
            }
            isKnown = true
        }
        progress.report.files += context.files { frames[$0] }
        let end = isKnown ? progress.begin + frames.values.reduce(0, +) : progress.account.position
        progress.account.keep(progress.begin..<end)
        progress.begin = max(end, progress.recent.start ?? progress.account.position)
    }
}
