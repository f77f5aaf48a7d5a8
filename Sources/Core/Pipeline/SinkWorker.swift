import Logging
import Metrics

/// Drives one sink type through one call: open, write, checkpoint, finish, for each part of it; and again, in the fallback or
/// after a while, where a part fails. Everything that is true of all sinks is done here.
///
/// Works while there is something to take, and keeps what it needs to go on later, on the caller's executor, where blocking is allowed.
struct SinkWorker<Sink: AudioSink & ~Copyable>: ~Copyable {
    /// Seconds of audio that are held for a sink that has to go on from another's files. What a sink has taken but has not yet in
    /// its file must fit: an encoder's block, a writer's buffer.
    private static var recentSeconds: Double { 5 }
    /// What is taken from the queue in one turn: all that there is of a live call, and little of one that comes as fast as it can.
    private static var turn: Int { 8 }

    private let options: Sink.Options
    private let job: SinkJob
    /// The shape of what the sink gets.
    private let format: AudioFormat
    /// Frames of one part.
    private let frameLimit: Int
    private var report = SinkReport()
    private var failures = FailureLog()
    /// Which of the job's places is written to.
    private var place = 0
    /// Whether a sink is open there and has what came before.
    private var isServing = false
    private var account = SinkAccount()
    /// How far the sink has come.
    private var cursor: SinkCursor
    private var recent: RecentChunks
    /// The part that is open.
    private var sink: Sink?
    /// What is known of it, or of one that could not be opened.
    private var part: SinkPart?
    private var conversion: Conversion?
    /// What the parts that came to their end reported, in order.
    private var details: [[String: JSONValue]] = []
    /// The gap that is being written.
    private var gap: (end: Int, isPaused: Bool)?
    /// What was noted last on the timeline, and where it ended.
    private var lastNote: (substitute: SinkAccount.Substitute, end: Int)?
    /// When the files are to be synced to stable storage.
    private var nextSync = ContinuousClock.now
    /// The call is over, and there is nothing more to write.
    private var isClosing = false

    /// Makes the worker of one sink in one call, before anything was opened.
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

    /// What came of some work.
    enum Outcome {
        /// There is nothing to take for now, or it is another's turn.
        case paused
        /// The call is over and everything was taken; the sink is to be finished.
        case reachedEnd
        /// The sink is finished, or has failed for good.
        case done(SinkReport)
    }

    /// Works until there is nothing more to do for now, or a turn is over.
    /// - Parameter mayFinish: whether the sink may be finished as well, which may take a while.
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

    /// Sees to what a failed sink left, and finds out where to go on; false is nowhere.
    private mutating func goesOn(after error: SinkError) async -> Bool {
        isServing = false
        failures.note(error)
        let isLast = place + 1 == job.places.count
        let isFinal = isClosing || isLast && !mayRetry
        // What comes now is nothing to a sink that has failed for good: the call does not wait for its files to be looked at.
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

    /// Whether a sink that failed everywhere is tried again. Whatever ends the call, or will not be better next time, is final.
    private var mayRetry: Bool {
        job.envelope.retry > 0 && failures.last?.blame == .destination && !job.queue.isClosed
            && !(job.envelope.required && !report.hasOpened) && job.envelope.onError == .continue
    }

    /// Opens a sink that goes on from where the one before it left off.
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

    /// Serves what was taken from the queue.
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
            // Now, where the next checkpoint would be too late: `sync` is the most that a power cut takes.
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

    /// Writes what is left of the gap in pieces of at most a second, so that a long one takes no memory.
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

    /// Writes a chunk of the call as the entry wants it: masked or left out while the recording is paused, in its own shape.
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

    /// Leaves out what comes before a place, because the recording is paused: the part ends, and the next one begins there.
    private mutating func skip(to end: Int) async throws(SinkError) {
        try await flushConversion()
        try await closePart()
        guard cursor.taken < end else { return }
        note(.skipped, cursor.taken..<end)
        cursor.restart(at: end)
    }

    /// Writes a chunk in the sink's own shape.
    private mutating func convert(_ chunk: PCMChunk) async throws(SinkError) {
        cursor.take(to: chunk.end.frames)
        guard format != job.format else { return try await deliver(chunk) }
        if conversion == nil {
            conversion = try Conversion(from: job.format, to: format, at: chunk.start, maker: job.rateConverter)
        }
        if let converted = try conversion?.convert(chunk) { try await deliver(converted) }
    }

    /// Writes what the conversion holds back.
    private mutating func flushConversion() async throws(SinkError) {
        if let rest = try conversion?.finish() { try await deliver(rest) }
        conversion = nil
        cursor.settle()
    }

    /// Gives a chunk in the sink's own shape to the sink, in as many parts as it takes.
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
        try context.prepareDirectory()
        sink = try await Sink(options: options, context: context)
        report.hasOpened = true
        job.health.opened()
        publish(isNews: true)
    }

    /// Finishes the part that is open, if one is.
    private mutating func closePart() async throws(SinkError) {
        guard let sink = sink.take(), let part else { return }
        let receipt = try await sink.finish()
        var held = part.range(to: cursor.written)
        if let miscount = part.miscount(receipt) {
            // What the sink says that it does not have is not counted as being in its files.
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

    /// Makes whole what a failed sink left, finds out how much of the call is in it, and where another one has to go on.
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

    /// Looks into the files of a part that failed, and returns the place on the timeline up to which they hold the call.
    private mutating func salvage(_ part: SinkPart, end: Int) -> Int {
        let context = part.context
        var frames: [String: Int] = [:]
        // Where nobody knows how to look into the files, the sink's word is taken for what it took.
        var isKnown = context.dropEmptyFiles()
        for name in context.createdFiles {
            do throws(SinkError) {
                guard let found = try Sink.repair(context.directory + "/" + name, format: format, dryRun: false) else { continue }
                frames[name] = min(max(0, found.frames), part.frameBound)
            } catch {
                // Nothing plays it, and it counts for nothing.
                context.logger.error("a failed sink's file cannot be repaired and is not published", metadata: ["reason": "\(error)"])
                context.putAside(name)
            }
            isKnown = true
        }
        report.files += context.files(start: part.begin, call: job.format) { frames[$0] }
        let found = job.format.frames(frames.values.reduce(0, +), of: format)
        // A write that failed may have brought a part of its chunk into the file, but nothing that was not taken.
        let held = part.range(to: isKnown ? min(part.begin + found, cursor.taken) : end)
        account.keep(held)
        return held.upperBound
    }

    /// Keeps that a stretch is not the call's audio.
    private mutating func note(_ substitute: SinkAccount.Substitute, _ range: Range<Int>) {
        account.note(substitute, range)
        if lastNote?.substitute != substitute || lastNote?.end != range.lowerBound { publish(isNews: true) }
        lastNote = (substitute, range.upperBound)
    }

    /// Keeps the first thing that the sink said of itself that is not so.
    private mutating func note(_ miscount: SinkError, logger: Logger) {
        if report.miscount == nil { report.miscount = miscount }
        logger.error("sink miscounted its frames", metadata: ["reason": "\(miscount)", "blame": "\(miscount.blame.rawValue)"])
    }

    /// Shows the account as it stands to whoever looks at the running call.
    private func publish(isNews: Bool) {
        job.account.update(account, part: sink == nil ? nil : part?.range(to: cursor.written), isNews: isNews)
    }

    /// The report, with the account closed.
    private func settled() -> SinkReport {
        var report = report
        report.error =
            failures.summary(isOver: report.isFinished).map { error in
                report.miscount.map { SinkError(error.code, "\(error); \($0)", blame: error.blame) } ?? error
            } ?? report.miscount
        report.account = account
        // Parts of one encoder say the same; those of a meter do not.
        let isSame = details.allSatisfy { $0 == details[0] }
        report.details = isSame ? details.first ?? [:] : ["parts": .array(details.map(JSONValue.object))]
        return report
    }
}
