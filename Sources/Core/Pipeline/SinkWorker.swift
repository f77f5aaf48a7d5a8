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
    private var recent: RecentChunks
    /// The part that is open.
    private var sink: Sink?
    /// Frames that it has taken.
    private var partFrames = 0
    /// Its context, or that of one that could not be opened.
    private var context: SinkContext?
    private var conversion: Conversion?
    /// What the parts that came to their end reported, in order.
    private var details: [[String: JSONValue]] = []
    /// Where on the call's timeline the part that is open began, or the next one will.
    private var begin = 0
    /// The end of the gap that is being written.
    private var gapEnd = 0
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
        let logger = context?.logger
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
        conversion = nil
        account.restart(at: begin)
        try await openPart()
        for chunk in recent.from(begin) {
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
        case .gap(let frames, let start):
            account.note(.silence, start.frames..<start.frames + frames)
            gapEnd = start.frames + frames
            try await writeGap()
        case .checkpoint:
            try await sink?.checkpoint()
            if job.envelope.sync > 0, ContinuousClock.now >= nextSync {
                try context?.synchronizeFiles()
                nextSync = .now + .seconds(job.envelope.sync)
            }
        case .end:
            try await finish()
        }
    }

    /// Brings the sink to its regular end.
    private mutating func finish() async throws(SinkError) {
        try await flushConversion()
        isClosing = true
        let begin = ContinuousClock.now
        try await closePart(at: account.position)
        job.metrics.finishTime.record(duration: .now - begin)
        report.isFinished = true
    }

    /// Writes what is left of the gap in pieces of at most a second, so that a long one takes no memory.
    private mutating func writeGap() async throws(SinkError) {
        while account.position < gapEnd {
            let start = account.position
            let frames = min(gapEnd - start, job.format.sampleRate)
            let piece = PCMChunk.silence(frames: frames, format: job.format, start: FramePosition(start))
            recent.append(piece)
            try await write(piece)
            job.queue.noteProgress()
        }
    }

    /// Writes a chunk of the call as the entry wants it: masked or left out while the recording is paused, in its own shape.
    private mutating func write(_ chunk: PCMChunk) async throws(SinkError) {
        var chunk = chunk
        if chunk.isPaused {
            switch job.envelope.onPause {
            case .record: break
            case .silence:
                account.note(.masked, chunk.start.frames..<chunk.end.frames)
                chunk = chunk.silenced
            case .skip:
                try await flushConversion()
                try await closePart(at: account.position)
                account.note(.skipped, chunk.start.frames..<chunk.end.frames)
                account.advance(to: chunk.end)
                begin = account.position
                return
            }
        }
        guard format != job.format else { return try await deliver(chunk) }
        if conversion == nil {
            conversion = try Conversion(from: job.format, to: format, at: chunk.start, maker: job.rateConverter)
        }
        if let converted = try conversion?.convert(chunk) { try await deliver(converted) }
        account.advance(to: chunk.end)
    }

    /// Writes what the conversion holds back.
    private mutating func flushConversion() async throws(SinkError) {
        if let rest = try conversion?.finish() { try await deliver(rest) }
        conversion = nil
    }

    /// Gives a chunk in the sink's own shape to the sink, in as many parts as it takes.
    private mutating func deliver(_ chunk: PCMChunk) async throws(SinkError) {
        var rest = chunk
        while rest.frameCount > 0 {
            if sink == nil { try await openPart() }
            let piece = rest.prefix(frameLimit - partFrames)
            try await sink?.write(piece)
            partFrames += piece.frameCount
            if conversion == nil { account.advance(to: piece.end) }
            rest = rest.dropFirst(piece.frameCount)
            if isPartFull {
                try await closePart(at: conversion?.position(of: piece.end) ?? account.position)
            }
        }
    }

    private var isPartFull: Bool {
        if partFrames >= frameLimit { return true }
        guard let size = job.envelope.partSize, let context else { return false }
        return context.byteCount >= size * 1_000_000
    }

    /// Opens the next part.
    private mutating func openPart() async throws(SinkError) {
        let context = job.places[place].nextPart()
        self.context = context
        try context.prepareDirectory()
        partFrames = 0
        sink = try await Sink(options: options, context: context)
        report.hasOpened = true
        job.health.opened()
    }

    /// Finishes the part that is open, if one is: it holds the timeline up to this place.
    private mutating func closePart(at end: Int) async throws(SinkError) {
        guard let sink = sink.take(), let context else { return }
        let receipt = try await sink.finish()
        account.keep(begin..<end)
        begin = end
        report.files += context.files { receipt.framesByFile[$0] }
        details.append(receipt.details)
        self.context = nil
    }

    /// Makes whole what a failed sink left, finds out how much of the call is in it, and where another one has to go on.
    private mutating func salvage() {
        sink = nil
        guard let context else { return begin = max(begin, recent.start ?? account.position) }
        self.context = nil
        var frames: [String: Int] = [:]
        // Where nobody knows how to look into the files, the sink's word is taken for what it took.
        var isKnown = context.dropEmptyFiles()
        for name in context.createdFiles {
            do throws(SinkError) {
                guard let found = try Sink.repair(context.directory + "/" + name, format: format, dryRun: false) else { continue }
                frames[name] = found.frames
            } catch {
                // It stays as it is, and counts for nothing.
                context.logger.error("what a failed sink left cannot be made whole", metadata: ["reason": "\(error)"])
            }
            isKnown = true
        }
        report.files += context.files { frames[$0] }
        let found = job.format.frames(frames.values.reduce(0, +), of: format)
        let end = isKnown ? begin + found : account.position
        account.keep(begin..<end)
        begin = max(end, recent.start ?? account.position)
    }

    /// The report, with the account closed.
    private func settled() -> SinkReport {
        var report = report
        report.error = failures.summary(isOver: report.isFinished)
        report.written = account.written
        report.silence = account.silence
        report.masked = account.masked
        report.skipped = account.skipped
        // Parts of one encoder say the same; those of a meter do not.
        let isSame = details.allSatisfy { $0 == details[0] }
        report.details = isSame ? details.first ?? [:] : ["parts": .array(details.map(JSONValue.object))]
        return report
    }
}
