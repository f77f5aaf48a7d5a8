import CallreelCore
import Logging

// The parts of a sink's output, and the account of them.
extension SinkWorker where Sink: ~Copyable {
    /// The open part has reached its limit of frames or of bytes.
    var isPartFull: Bool {
        guard let part else { return false }
        if part.frames >= frameLimit { return true }
        guard let size = job.envelope.partSize else { return false }
        return part.context.byteCount >= size * 1_000_000
    }

    /// Opens the next part.
    mutating func openPart() async throws(SinkError) {
        let context = job.places[place].nextPart(start: cursor.written, number: openings, carried: carried)
        openings += 1
        part = SinkPart(context: context, begin: cursor.written)
        try job.places[place].guardian.prepare(context)
        sink = try await Sink(options: options, context: context)
        report.hasOpened = true
        job.station.health.opened()
        publish(isNews: true)
    }

    /// Finishes the open part, if there is one.
    /// - Parameter reason: the reason why the call ended; nil if it goes on.
    mutating func closePart(_ reason: String? = nil) async throws(SinkError) {
        guard let sink = sink.take(), let part else { return }
        let receipt = try await sink.finish(end(reason))
        carried = receipt.carried
        var held = part.range(to: cursor.written)
        if let miscount = part.miscount(receipt) {
            // Frames that the sink says are missing do not count as being in its files.
            let end = account.position(behind: miscount.held, from: part.begin, in: format, of: job.format)
            held = part.range(to: min(held.upperBound, end))
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
    mutating func salvage() {
        sink = nil
        carried = nil
        filters = nil
        conversion = nil
        var end = cursor.written
        if let part {
            end = salvage(part, end: end)
            self.part = nil
        }
        cursor.restart(at: max(end, recent.start ?? cursor.taken))
        account.forgetCuts(from: cursor.taken)
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
                    "could not repair a failed sink's file: not published", metadata: ["reason": "\(error)"])
                context.putAside(name)
            }
            isKnown = true
        }
        report.files += context.files(start: part.begin, call: job.format) { frames[$0] }
        let found = account.position(
            behind: frames.values.reduce(0, +), from: part.begin, in: format, of: job.format)
        // A failed write may have put part of its chunk in the file, but no frame that was not taken.
        let held = part.range(to: isKnown ? min(found, cursor.taken) : end)
        account.keep(held)
        return held.upperBound
    }

    /// Notes that a stretch is not the call's audio.
    mutating func note(_ substitute: SinkAccount.Substitute, _ range: Range<Int>) {
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
    func publish(isNews: Bool) {
        job.account.update(account, part: sink == nil ? nil : part?.range(to: cursor.written), isNews: isNews)
    }

    /// Returns the report with the account closed.
    func settled() -> SinkReport {
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
