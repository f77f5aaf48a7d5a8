import CallreelCore

// The accounts of sinks in the ledger. Every frame received is written, replaced, skipped, cut or lost.
// Only this file sets the counts.
extension CallLedger {
    /// Closes the account of a sink that ran to the call's end. Frames neither in its files nor skipped are lost.
    mutating func settle(_ sink: Int, _ account: SinkAccount) {
        sinks[sink].take(account.tally(received: framesReceived))
    }

    /// Closes the account of an interrupted call's sink by the stretches in its files.
    /// The ledger tells which of them are silence, and which frames were skipped.
    mutating func settle(_ sink: Int, files: FrameRanges) {
        settle(sink, SinkAccount(files: files, sinks[sink], pauses: pauses))
    }

    /// Counts the audio of a sink's unpublished files as lost. If the sink has no file left, the whole call is lost.
    /// - Parameter files: each file's first frame on the call's timeline, if known,
    ///   and its frames in the sink's own format.
    mutating func lose(_ files: [(start: Int?, frames: Int)], of sink: Int) {
        let shape = sinks[sink].format ?? format
        let lengths = files.map { format.frames(max(0, $0.frames), of: shape) }
        if sinks[sink].files.isEmpty {
            lose(FrameRanges([0..<max(0, framesReceived)]), of: sink)
        } else if sinks[sink].ranges != nil, files.allSatisfy({ $0.start != nil }) {
            let cut = sinks[sink].ranges?.cut ?? FrameRanges()
            let stretches = files.map { file in
                let start = file.start ?? 0
                return start..<cut.position(behind: max(0, file.frames), from: start, in: shape, of: format)
            }
            lose(FrameRanges(stretches), of: sink)
        } else {
            sinks[sink].lose(lengths.reduce(0, +), received: framesReceived)
        }
    }

    /// Lengthens the call to a frame, if it was shorter, because a sink's files go that far. The other sinks have lost
    /// the rest.
    mutating func lengthen(to end: Int, by sink: Int) {
        guard end > framesReceived else { return }
        let more = framesReceived..<end
        framesReceived = end
        for other in sinks.indices where other != sink { sinks[other].lose(more) }
    }

    /// Counts ranges of the call as lost that were in files. Skipped frames stay skipped.
    private mutating func lose(_ stretches: FrameRanges, of sink: Int) {
        let ranges = sinks[sink].ranges ?? SinkRanges()
        let outside = (ranges.lost ?? FrameRanges()).union(ranges.skipped ?? FrameRanges())
        let files = FrameRanges([0..<max(0, framesReceived)]).subtracting(outside).subtracting(stretches)
        settle(sink, SinkAccount(files: files, sinks[sink]))
    }
}

extension CallLedger.Sink {
    /// Takes over an account. The totals are the lengths of the lists.
    mutating func take(_ tally: SinkAccount.Tally) {
        func list(_ ranges: FrameRanges?) -> FrameRanges? { ranges?.isEmpty == false ? ranges : nil }
        ranges = SinkRanges()
        ranges?.silence = list(tally.ranges.silence)
        ranges?.masked = list(tally.ranges.masked)
        ranges?.skipped = list(tally.ranges.skipped)
        ranges?.cut = list(tally.ranges.cut)
        ranges?.lost = list(tally.ranges.lost)
        written = tally.written
        silence = ranges?.silence?.frames ?? 0
        masked = ranges?.masked?.frames
        skipped = ranges?.skipped?.frames
        cut = ranges?.cut?.frames
        lost = ranges?.lost?.frames ?? 0
    }

    /// Counts frames behind the end of the account as lost.
    fileprivate mutating func lose(_ frames: Range<Int>) {
        // The account of an older program has no ranges.
        if ranges != nil || lost == 0 {
            var account = ranges ?? SinkRanges()
            account.lost = (account.lost ?? FrameRanges()).union(FrameRanges([frames]))
            ranges = account
        }
        lost += frames.count
    }

    /// Counts as many frames as lost, first of the audio, then of the silence. For a call of an older program: the
    /// length of its lost file is known, but not its place.
    fileprivate mutating func lose(_ frames: Int, received: Int) {
        let audio = min(frames, written)
        ranges = nil
        written -= audio
        silence -= min(frames - audio, silence)
        lost = 0
        lost = received - accounted
    }

    /// Marks the sink as failed because of its files. An earlier reason stays.
    mutating func fail(_ reason: DiskError) {
        state = .ended(.failed)
        error = error ?? reason.description
        blame = blame ?? .destination
    }
}
