import CallreelCore
import Logging
import Metrics

/// Drives one sink type through one call: open, write, checkpoint and finish, for each part.
///
/// If a part fails, the worker goes on in the fallback, or tries again after a while. All that sinks have in common is
/// done here. The worker runs while the queue has items, on the caller's executor, where it may block. Between two runs
/// it keeps its state.
struct SinkWorker<Sink: AudioSink & ~Copyable>: ~Copyable {
    /// Seconds of audio kept for an instance that has to go on from another's files. They must cover all audio taken by
    /// a sink and not yet in its file, such as an encoder's block or a writer's buffer.
    private static var recentSeconds: Double { 5 }
    /// Items taken from the queue in one turn: all of a live call's, and few of a call at full speed.
    private static var turn: Int { 8 }

    private let options: Sink.Options
    private let job: SinkJob
    /// The shape of the sink's audio.
    private let format: AudioFormat
    /// The most frames of one part.
    private let frameLimit: Int
    private var report = SinkReport()
    private var failures = FailureLog()
    /// Index of the job's place in use.
    private var place = 0
    /// A sink is open in that place and has all earlier audio.
    private var isServing = false
    private var account = SinkAccount()
    /// The sink's progress.
    private var cursor: SinkCursor
    private var recent: RecentChunks
    /// The sink of the open part.
    private var sink: Sink?
    /// The open part, or one whose sink could not be opened.
    private var part: SinkPart?
    private var conversion: Conversion?
    /// Details reported by the finished parts, in order.
    private var details: [[String: JSONValue]] = []
    /// The gap being written.
    private var gap: (end: Int, isPaused: Bool)?
    /// The substitute noted last on the timeline, and its end.
    private var lastNote: (substitute: SinkAccount.Substitute, end: Int)?
    /// The time of the next sync to stable storage.
    private var nextSync = ContinuousClock.now
    /// The call has ended, and nothing more is to be written.
    private var isClosing = false

    /// Makes the worker of one sink in one call. Nothing is opened yet.
    init(_ options: Sink.Options, _ job: SinkJob) {
        self.options = options
        self.job = job
        let format = job.envelope.format(of: job.format)
        self.format = format
        cursor = SinkCursor(from: job.format, to: format)
        let length = job.envelope.partLength.map { format.frames(seconds: Double($0)) } ?? .max
        frameLimit = max(1, min(length, Sink.frameLimit(options: options, format: format) ?? .max))
        let mayGoOn = job.places.count > 1 || job.envelope.retry > 0
        recent = RecentChunks(limit: mayGoOn ? job.format.frames(seconds: Self.recentSeconds) : 0)
    }

    /// The outcome of one run.
    enum Outcome {
        /// The queue is empty for now, or the turn is over.
        case paused
        /// The call has ended and everything was taken. The sink has yet to be finished.
        case reachedEnd
        /// The sink is finished, or has failed for good.
        case done(SinkReport)
    }

    /// Works until the queue is empty or the turn is over.
    /// - Parameter mayFinish: true also finishes the sink, and does not limit the turn. This may take a while.
    mutating func work(mayFinish: Bool = false) async -> Outcome {
        while true {
            do throws(SinkError) {
                if !isServing { try await openPlace() }
                var taken = 0
                while taken < Self.turn || mayFinish, let item = job.queue.take() {
                    taken += 1
                    if case .end = item, !mayFinish { return .reachedEnd }
                    try await serve(item)
                    if report.isFinished { return .done(settled()) }
                }
                return .paused
            } catch {
                guard await goesOn(after: error) else { return .done(settled()) }
            }
        }
    }

    /// Repairs the files of a failed sink, and selects the place to go on in. Returns false if there is none.
    private mutating func goesOn(after error: SinkError) async -> Bool {
        isServing = false
        failures.note(error)
        let isLast = place + 1 == job.places.count
        let isFinal = isClosing || isLast && !mayRetry
        // A sink that has failed for good takes no more audio: the call need not wait while its files are inspected.
        if isFinal { job.queue.fail() }
        let logger = part?.context.logger
        salvage()
        if isFinal {
            if !report.hasOpened { job.health.failed(failures.summary(isOver: false)?.description ?? "") }
            return false
        }
        place = isLast ? 0 : place + 1
        logger?.error(
            "sink failed, and goes on \(isLast ? "after a while" : "in its fallback")",
            metadata: ["reason": "\(error)", "directory": "\(job.places[place].directory)"])
        if isLast {
            failures.endRound()
            job.health.failed(error.description)
            await job.queue.wait(seconds: job.envelope.retry)
        }
        return true
    }

    /// A sink that failed everywhere is tried again. A failure is final if it ends the call or would be the same again.
    private var mayRetry: Bool {
        job.envelope.retry > 0 && failures.last?.blame == .destination && !job.queue.isClosed
            && !(job.envelope.required && !report.hasOpened) && job.envelope.onError == .continue
    }

    /// Opens a sink that goes on from the end of the one before it.
    private mutating func openPlace() async throws(SinkError) {
        try await openPart()
        for chunk in recent.from(cursor.taken) {
            try await write(chunk)
            job.queue.noteProgress()
        }
        try await writeGap()
        nextSync = .now + .seconds(job.envelope.sync)
        isServing = true
    }

    /// Handles one item from the queue.
    private mutating func serve(_ item: ChunkQueue.Item) async throws(SinkError) {
        switch item {
        case .chunk(let chunk):
            recent.append(chunk)
            let begin = ContinuousClock.now
            try await write(chunk)
            let end = ContinuousClock.now
            job.metrics.writeTime.record(duration: end - begin)
            job.metrics.lag.record(duration: end - chunk.receivedAt)
        case .gap(let frames, let start, let isPaused):
            gap = (start.frames + frames, isPaused)
            try await writeGap()
        case .checkpoint:
            try await sink?.checkpoint()
            // Synced now if the next checkpoint would be too late: `sync` is the most that a power cut may take.
            if job.envelope.sync > 0, ContinuousClock.now + .seconds(job.envelope.checkpoint) > nextSync {
                try part?.context.synchronizeFiles()
                nextSync = .now + .seconds(job.envelope.sync)
            }
            publish(isNews: false)
        case .end:
            try await finish()
        }
    }

    /// Brings the sink to its regular end.
    private mutating func finish() async throws(SinkError) {
        try await flushConversion()
        isClosing = true
        let begin = ContinuousClock.now
        try await closePart()
        job.metrics.finishTime.record(duration: .now - begin)
        report.isFinished = true
    }

    /// Writes the rest of the gap in pieces of at most a second, so that a long gap takes no memory.
    private mutating func writeGap() async throws(SinkError) {
        while let gap, cursor.taken < gap.end {
            let start = cursor.taken, isPaused = gap.isPaused && job.envelope.onPause != .record
            if isPaused, job.envelope.onPause == .skip {
                try await skip(to: gap.end)
                break
            }
            note(isPaused ? .masked : .silence, start..<gap.end)
            let frames = min(gap.end - start, job.format.sampleRate)
            let piece = PCMChunk.silence(frames: frames, format: job.format, start: FramePosition(start))
            recent.append(piece)
            try await convert(piece)
            job.queue.noteProgress(gapFrames: frames)
        }
        gap = nil
    }

    /// Writes a chunk of the call. Audio of a pause is written, masked or left out, as the entry's `onPause` says.
    private mutating func write(_ chunk: PCMChunk) async throws(SinkError) {
        guard chunk.isPaused else { return try await convert(chunk) }
        switch job.envelope.onPause {
        case .record: try await convert(chunk)
        case .silence:
            note(.masked, chunk.start.frames..<chunk.end.frames)
            try await convert(chunk.silenced)
        case .skip: try await skip(to: chunk.end.frames)
        }
    }

    /// Leaves out the audio before a position, because the recording is paused. The part ends, and the next one begins
    /// at that position.
    private mutating func skip(to end: Int) async throws(SinkError) {
        try await flushConversion()
        try await closePart()
        guard cursor.taken < end else { return }
        note(.skipped, cursor.taken..<end)
        cursor.restart(at: end)
    }

    /// Writes a chunk after converting it to the sink's shape.
    private mutating func convert(_ chunk: PCMChunk) async throws(SinkError) {
        cursor.take(to: chunk.end.frames)
        guard format != job.format else { return try await deliver(chunk) }
        if conversion == nil {
            conversion = try Conversion(from: job.format, to: format, at: chunk.start, maker: job.rateConverter)
        }
        if let converted = try conversion?.convert(chunk) { try await deliver(converted) }
    }

    /// Writes the audio held back by the conversion.
    private mutating func flushConversion() async throws(SinkError) {
        if let rest = try conversion?.finish() { try await deliver(rest) }
        conversion = nil
        cursor.settle()
    }

    /// Gives a chunk in the sink's shape to the sink, in as many parts as needed.
    private mutating func deliver(_ chunk: PCMChunk) async throws(SinkError) {
        var rest = chunk
        while rest.frameCount > 0 {
            if sink == nil { try await openPart() }
            let piece = rest.prefix(frameLimit - (part?.frames ?? 0))
            try await sink?.write(piece)
            part?.frames += piece.frameCount
            cursor.give(piece.frameCount)
            rest = rest.dropFirst(piece.frameCount)
            if isPartFull { try await closePart() }
        }
    }

    private var isPartFull: Bool {
        guard let part else { return false }
        if part.frames >= frameLimit { return true }
        guard let size = job.envelope.partSize else { return false }
        return part.context.byteCount >= size * 1_000_000
    }

    /// Opens the next part.
    private mutating func openPart() async throws(SinkError) {
        let context = job.places[place].nextPart(start: cursor.written)
        part = SinkPart(context: context, begin: cursor.written)
        try job.places[place].guardian.prepare(context)
        sink = try await Sink(options: options, context: context)
        report.hasOpened = true
        job.health.opened()
        publish(isNews: true)
    }

    /// Finishes the open part, if there is one.
    private mutating func closePart() async throws(SinkError) {
        guard let sink = sink.take(), let part else { return }
        let receipt = try await sink.finish()
        var held = part.range(to: cursor.written)
        if let miscount = part.miscount(receipt) {
            // Frames that the sink says are missing do not count as being in its files.
            held = part.range(to: min(held.upperBound, part.begin + job.format.frames(miscount.held, of: format)))
            note(miscount.error, logger: part.context.logger)
        }
        account.keep(held)
        report.files += part.context.files(start: part.begin, call: job.format) { name in
            receipt.framesByFile[name].map { min(max(0, $0), part.frames) }
        }
        details.append(receipt.details)
        self.part = nil
        publish(isNews: true)
    }

    /// Repairs the files of a failed sink, and finds out how much of the call they hold. Moves the cursor to the
    /// position from which the next sink has to go on.
    private mutating func salvage() {
        sink = nil
        conversion = nil
        var end = cursor.written
        if let part {
            end = salvage(part, end: end)
            self.part = nil
        }
        cursor.restart(at: max(end, recent.start ?? cursor.taken))
        publish(isNews: true)
    }

    /// Inspects the files of a failed part. Returns the position on the timeline up to which they hold the call.
    private mutating func salvage(_ part: SinkPart, end: Int) -> Int {
        let context = part.context
        var frames: [String: Int] = [:]
        // If no file can be inspected, all frames that the sink took count as held.
        var isKnown = context.dropEmptyFiles()
        for name in context.createdFiles {
            do throws(SinkError) {
                guard let found = try Sink.repair(context.directory + "/" + name, format: format, dryRun: false) else {
                    continue
                }
                frames[name] = min(max(0, found.frames), part.frameBound)
            } catch {
                // No player can use the file, so it counts for nothing.
                context.logger.error(
                    "a failed sink's file cannot be repaired and is not published", metadata: ["reason": "\(error)"])
                context.putAside(name)
            }
            isKnown = true
        }
        report.files += context.files(start: part.begin, call: job.format) { frames[$0] }
        let found = job.format.frames(frames.values.reduce(0, +), of: format)
        // A failed write may have put part of its chunk in the file, but no frame that was not taken.
        let held = part.range(to: isKnown ? min(part.begin + found, cursor.taken) : end)
        account.keep(held)
        return held.upperBound
    }

    /// Notes that a stretch is not the call's audio.
    private mutating func note(_ substitute: SinkAccount.Substitute, _ range: Range<Int>) {
        account.note(substitute, range)
        if lastNote?.substitute != substitute || lastNote?.end != range.lowerBound { publish(isNews: true) }
        lastNote = (substitute, range.upperBound)
    }

    /// Logs a miscount of the sink, and keeps the first one.
    private mutating func note(_ miscount: SinkError, logger: Logger) {
        if report.miscount == nil { report.miscount = miscount }
        logger.error(
            "sink miscounted its frames", metadata: ["reason": "\(miscount)", "blame": "\(miscount.blame.rawValue)"])
    }

    /// Shows the current account to readers of the running call.
    /// - Parameter isNews: true if a stretch began or ended on the sink's timeline.
    private func publish(isNews: Bool) {
        job.account.update(account, part: sink == nil ? nil : part?.range(to: cursor.written), isNews: isNews)
    }

    /// Returns the report with the account closed.
    private func settled() -> SinkReport {
        var report = report
        report.error =
            failures.summary(isOver: report.isFinished).map { error in
                report.miscount.map { SinkError(error.code, "\(error); \($0)", blame: error.blame) } ?? error
            } ?? report.miscount
        report.account = account
        // The parts of an encoder report the same details; those of a meter do not.
        let isSame = details.allSatisfy { $0 == details[0] }
        report.details = isSame ? details.first ?? [:] : ["parts": .array(details.map(JSONValue.object))]
        return report
    }
}
