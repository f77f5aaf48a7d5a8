import Logging
import Metrics

/// Drives one sink type through one call: open, write, checkpoint, finish, for each part of it; and again, in the fallback or
/// after a while, where a part fails. Everything that is true of all sinks is done here.
///
/// Runs on the caller's executor, where blocking is allowed.
struct SinkWorker<Sink: AudioSink & ~Copyable>: ~Copyable {
    /// Seconds of audio that are held for a sink that has to go on from another's files. What a sink has taken but has not yet in
    /// its file must fit: an encoder's block, a writer's buffer.
    private static var recentSeconds: Double { 5 }

    private let options: Sink.Options
    private let job: SinkJob
    /// The shape of what the sink gets.
    private let format: AudioFormat
    /// Frames of one part.
    private let frameLimit: Int
    private var report = SinkReport()
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
    /// The call is over, and there is nothing more to write.
    private var isClosing = false

    /// Runs until the call has ended or the sink has failed for good.
    static func run(options: Sink.Options, job: SinkJob) async -> SinkReport {
        var worker = SinkWorker(options, job)
        await worker.run()
        return worker.settled()
    }

    private init(_ options: Sink.Options, _ job: SinkJob) {
        self.options = options
        self.job = job
        let format = job.envelope.format(of: job.format)
        self.format = format
        let length = job.envelope.partLength.map { format.frames(seconds: Double($0)) } ?? .max
        frameLimit = max(1, min(length, Sink.frameLimit(options: options, format: format) ?? .max))
        let mayGoOn = job.places.count > 1 || job.envelope.retry > 0
        recent = RecentChunks(limit: mayGoOn ? job.format.frames(seconds: Self.recentSeconds) : 0)
    }

    private mutating func run() async {
        var failures = FailureLog()
        while true {
            for (index, place) in job.places.enumerated() {
                do throws(SinkError) {
                    try await serve(place)
                    report.isFinished = true
                } catch {
                    failures.note(error)
                }
                report.error = failures.summary(isOver: report.isFinished)
                if report.isFinished { return }
                let isLast = index + 1 == job.places.count
                let isFinal = isClosing || isLast && !mayRetry(after: failures)
                // What comes now is nothing to a sink that has failed for good: the call does not wait for its files to be looked at.
                if isFinal { job.queue.fail() }
                let logger = context?.logger
                salvage()
                if isFinal {
                    if !report.hasOpened { job.health.failed(report.error?.description ?? "") }
                    return
                }
                let next = isLast ? job.places[0] : job.places[index + 1]
                logger?.error(
                    "sink failed, and goes on \(isLast ? "after a while" : "in its fallback")",
                    metadata: ["reason": "\(failures.last?.description ?? "")", "directory": "\(next.directory)"])
            }
            failures.endRound()
            job.health.failed(failures.last?.description ?? "")
            await job.queue.wait(seconds: job.envelope.retry)
        }
    }

    /// Whether a sink that failed everywhere is tried again. Whatever ends the call, or will not be better next time, is final.
    private func mayRetry(after failures: FailureLog) -> Bool {
        job.envelope.retry > 0 && failures.last?.blame == .destination && !job.queue.isClosed
            && !(job.envelope.required && !report.hasOpened) && job.envelope.onError == .continue
    }

    /// Serves the call with one sink, part after part, from where the one before it left off.
    private mutating func serve(_ place: SinkPlace) async throws(SinkError) {
        conversion = nil
        account.restart(at: begin)
        try await openPart(place)
        for chunk in recent.from(begin) {
            try await write(chunk, place)
            job.queue.noteProgress()
        }
        try await writeGap(place)
        let sync = Duration.seconds(job.envelope.sync)
        var nextSync = ContinuousClock.now + sync
        loop: while true {
            switch await job.queue.next() {
            case .chunk(let chunk):
                recent.append(chunk)
                let begin = ContinuousClock.now
                try await write(chunk, place)
                let end = ContinuousClock.now
                job.metrics.writeTime.record(duration: end - begin)
                job.metrics.lag.record(duration: end - chunk.receivedAt)
            case .gap(let frames, let start):
                account.note(.silence, start.frames..<start.frames + frames)
                gapEnd = start.frames + frames
                try await writeGap(place)
            case .checkpoint:
                try await sink?.checkpoint()
                if sync > .zero, ContinuousClock.now >= nextSync {
                    try context?.synchronizeFiles()
                    nextSync = .now + sync
                }
            case .end:
                break loop
            }
        }
        try await flushConversion(place)
        isClosing = true
        let begin = ContinuousClock.now
        try await closePart(at: account.position)
        job.metrics.finishTime.record(duration: .now - begin)
    }

    /// Writes what is left of the gap in pieces of at most a second, so that a long one takes no memory.
    private mutating func writeGap(_ place: SinkPlace) async throws(SinkError) {
        while account.position < gapEnd {
            let start = account.position
            let frames = min(gapEnd - start, job.format.sampleRate)
            let piece = PCMChunk.silence(frames: frames, format: job.format, start: FramePosition(start))
            recent.append(piece)
            try await write(piece, place)
            job.queue.noteProgress()
        }
    }

    /// Writes a chunk of the call as the entry wants it: masked or left out while the recording is paused, in its own shape.
    private mutating func write(_ chunk: PCMChunk, _ place: SinkPlace) async throws(SinkError) {
        var chunk = chunk
        if chunk.isPaused {
            switch job.envelope.onPause {
            case .record: break
            case .silence:
                account.note(.masked, chunk.start.frames..<chunk.end.frames)
                chunk = chunk.silenced
            case .skip:
                try await flushConversion(place)
                try await closePart(at: account.position)
                account.note(.skipped, chunk.start.frames..<chunk.end.frames)
                account.advance(to: chunk.end)
                begin = account.position
                return
            }
        }
        guard format != job.format else { return try await deliver(chunk, place) }
        if conversion == nil {
            conversion = try Conversion(from: job.format, to: format, at: chunk.start, maker: job.rateConverter)
        }
        if let converted = try conversion?.convert(chunk) { try await deliver(converted, place) }
        account.advance(to: chunk.end)
    }

    /// Writes what the conversion holds back.
    private mutating func flushConversion(_ place: SinkPlace) async throws(SinkError) {
        if let rest = try conversion?.finish() { try await deliver(rest, place) }
        conversion = nil
    }

    /// Gives a chunk in the sink's own shape to the sink, in as many parts as it takes.
    private mutating func deliver(_ chunk: PCMChunk, _ place: SinkPlace) async throws(SinkError) {
        var rest = chunk
        while rest.frameCount > 0 {
            if sink == nil { try await openPart(place) }
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
    private mutating func openPart(_ place: SinkPlace) async throws(SinkError) {
        let context = place.nextPart()
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
    private consuming func settled() -> SinkReport {
        var report = report
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
