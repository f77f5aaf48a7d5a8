import CallreelCore
import DequeModule
import Logging
import Metrics

/// Drives one sink type through one call: open, write, event, checkpoint and finish, for each part.
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

    let options: Sink.Options
    let job: SinkJob
    /// The shape of the sink's audio.
    let format: AudioFormat
    /// The most frames of one part.
    let frameLimit: Int
    var report = SinkReport()
    var failures = FailureLog()
    /// Index of the job's place in use.
    var place = 0
    /// A sink is open in that place and has all earlier audio.
    private var isServing = false
    var account = SinkAccount()
    /// The sink's progress.
    var cursor: SinkCursor
    var recent: RecentChunks
    /// The sink of the open part.
    var sink: Sink?
    /// The open part, or one whose sink could not be opened.
    var part: SinkPart?
    /// The entry's filters at work; nil if it has none, and before the next audio.
    var filters: FilterChain?
    var conversion: Conversion?
    /// The events for which the sink has not got enough audio yet, in the sink's shape.
    var events: Deque<CallEvent> = []
    /// The end of the audio given to the sink, in the sink's shape.
    var given = 0
    /// Number of instances opened so far.
    var openings = 0
    /// The state left by the last part for the next.
    var carried: (any Sendable)?
    /// Details reported by the finished parts, in order.
    var details: [[String: JSONValue]] = []
    /// The gap being written.
    private var gap: (end: Int, isPaused: Bool)?
    /// The substitute noted last on the timeline, and its end.
    var lastNote: (substitute: SinkAccount.Substitute, end: Int)?
    /// The time of the next sync to stable storage.
    private var nextSync: ContinuousClock.Instant
    private let clocks = Clocks.current
    /// The call has ended, and nothing more is to be written.
    private var isClosing = false

    /// Makes the worker of one sink in one call. Nothing is opened yet.
    init(_ options: Sink.Options, _ job: SinkJob) {
        self.options = options
        self.job = job
        nextSync = clocks.now
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
            if !report.hasOpened { job.station.health.failed(failures.summary(isOver: false)?.description ?? "") }
            return false
        }
        place = isLast ? 0 : place + 1
        logger?.error(
            "sink failed: continuing \(isLast ? "after a wait" : "in its fallback")",
            metadata: ["reason": "\(error)", "directory": "\(job.places[place].directory)"])
        if isLast {
            failures.endRound()
            job.station.health.failed(error.description)
            await job.queue.wait(seconds: job.envelope.retry)
        }
        return true
    }

    /// A sink that failed everywhere is tried again. A failure is final if it ends the call or would be the same again.
    private var mayRetry: Bool {
        job.envelope.retry > 0 && failures.last?.isRetryable == true && !job.queue.isClosed
            && !(job.envelope.required && !report.hasOpened) && job.envelope.onError == .continue
    }

    /// Opens a sink that goes on from the end of the one before it.
    private mutating func openPlace() async throws(SinkError) {
        given = format.frames(cursor.taken, of: job.format)
        if recent.limit > 0 {
            // Those of a skipped pause have been given to nobody yet.
            let waiting = events.filter { $0.frame.frames < given }
            events = Deque(waiting + recent.events(from: cursor.taken, in: format, of: job.format))
        }
        try await openPart()
        for chunk in recent.from(cursor.taken) {
            try await write(chunk)
            job.queue.noteProgress()
        }
        try await writeGap()
        nextSync = clocks.now + .seconds(job.envelope.sync)
        isServing = true
    }

    /// Handles one item from the queue.
    private mutating func serve(_ item: ChunkQueue.Item) async throws(SinkError) {
        switch item {
        case .chunk(let chunk):
            recent.append(chunk)
            let begin = clocks.now
            try await write(chunk)
            let end = clocks.now
            job.station.metrics.writeTime.record(duration: end - begin)
            job.station.metrics.lag.record(duration: end - chunk.receivedAt)
        case .gap(let frames, let start, let isPaused):
            gap = (start.frames + frames, isPaused)
            try await writeGap()
        case .event(let event): try await take(event)
        case .checkpoint:
            try await sink?.checkpoint()
            // Synced now if the next checkpoint would be too late: `sync` is the most that a power cut may take.
            if job.envelope.sync > 0, clocks.now + .seconds(job.envelope.checkpoint) > nextSync {
                try part?.context.synchronizeFiles()
                nextSync = clocks.now + .seconds(job.envelope.sync)
            }
            publish(isNews: false)
        case .end(let reason):
            try await finish(reason)
        }
    }

    /// Brings the sink to its regular end.
    private mutating func finish(_ reason: String) async throws(SinkError) {
        try await flush()
        if sink != nil { try await giveEvents(to: .max) }
        isClosing = true
        let begin = clocks.now
        try await closePart(reason)
        job.station.metrics.finishTime.record(duration: clocks.now - begin)
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
            let piece = PCMChunk.silence(
                frames: frames, format: job.format, start: FramePosition(start), origin: isPaused ? .masked : .silence)
            recent.append(piece)
            try await filter(piece)
            job.queue.noteProgress(gapFrames: frames)
        }
        gap = nil
    }

    /// Writes a chunk of the call. Audio of a pause is written, masked or left out, as the entry's `onPause` says.
    private mutating func write(_ chunk: PCMChunk) async throws(SinkError) {
        guard chunk.isPaused else { return try await filter(chunk) }
        switch job.envelope.onPause {
        case .record: try await filter(chunk)
        case .silence:
            note(.masked, chunk.start.frames..<chunk.end.frames)
            try await filter(chunk.silenced)
        case .skip: try await skip(to: chunk.end.frames)
        }
    }

    /// Leaves out the audio before a position, because the recording is paused. The part ends, and the next one begins
    /// at that position.
    private mutating func skip(to end: Int) async throws(SinkError) {
        try await flush()
        try await closePart()
        guard cursor.taken < end else { return }
        note(.skipped, cursor.taken..<end)
        cursor.restart(at: end)
    }

    /// Writes a chunk after its way through the filters, in the sink's shape.
    private mutating func filter(_ chunk: PCMChunk) async throws(SinkError) {
        cursor.take(to: chunk.end.frames)
        let plan = job.station.plan
        guard !plan.filters.isEmpty else { return try await convert(chunk) }
        if filters == nil { filters = try FilterChain(plan.filters, format: job.format, at: chunk.start.frames) }
        for piece in try filters?.apply(chunk) ?? [] { try await pass(piece) }
    }

    /// Writes what comes out of the filters.
    private mutating func pass(_ piece: FilterChain.Piece) async throws(SinkError) {
        switch piece {
        case .audio(let chunk): try await convert(chunk)
        case .cut(let range):
            if let rest = try conversion?.finishAtCut() { try await deliver(rest) }
            conversion = nil
            note(.cut, range)
            cursor.cut(to: range.upperBound)
        }
    }

    /// Writes a chunk after converting it to the sink's shape.
    private mutating func convert(_ chunk: PCMChunk) async throws(SinkError) {
        guard format != job.format else { return try await deliver(chunk) }
        if conversion == nil {
            conversion = try Conversion(
                from: job.format, to: format, at: chunk.start, maker: job.station.plan.rateConverter)
        }
        if let converted = try conversion?.convert(chunk) { try await deliver(converted) }
    }

    /// Writes the audio held back by the filters and by the conversion.
    private mutating func flush() async throws(SinkError) {
        for piece in try filters?.finish() ?? [] { try await pass(piece) }
        filters = nil
        try await flushConversion()
        cursor.settle()
    }

    /// Writes the audio held back by the conversion.
    private mutating func flushConversion() async throws(SinkError) {
        if let rest = try conversion?.finish() { try await deliver(rest) }
        conversion = nil
    }

    /// Gives a chunk in the sink's shape to the sink, in as many parts as needed.
    private mutating func deliver(_ chunk: PCMChunk) async throws(SinkError) {
        var rest = chunk
        while rest.frameCount > 0 {
            // Only now, so that the call's last part learns why the call ended.
            if isPartFull { try await closePart() }
            if sink == nil { try await openPart() }
            var limit = frameLimit - (part?.frames ?? 0)
            if !events.isEmpty {
                try await giveEvents(to: rest.start.frames)
                if let next = events.first { limit = min(limit, next.frame.frames - rest.start.frames) }
            }
            let piece = rest.prefix(limit)
            try await sink?.write(piece)
            given = piece.end.frames
            part?.frames += piece.frameCount
            cursor.give(piece.frameCount)
            rest = rest.dropFirst(piece.frameCount)
        }
        if !events.isEmpty, sink != nil { try await giveEvents(to: given) }
    }
}
