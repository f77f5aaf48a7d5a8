import CallreelCore

/// A record of the call's frames in a sink's files, and of those replaced or left out.
///
/// All positions count in frames from the call's first.
struct SinkAccount: Sendable {
    /// A replacement for the call's audio in a sink.
    enum Substitute: Sendable {
        /// Silence in place of dropped audio.
        case silence
        /// Silence in place of audio that arrived while the recording was paused.
        case masked
        /// Nothing at all, because the recording was paused.
        case skipped
        /// Nothing at all, because a filter cut the frames out. They may lie within a file's stretch of the timeline.
        case cut
    }

    /// The whole of a sink's account. The frames written and the four lists of ranges add up to the frames received.
    struct Tally: Sendable {
        /// Frames of the call's audio in the files.
        var written = 0
        /// The stretches of all other frames.
        var ranges = SinkRanges()
    }

    private var silence = FrameRanges()
    private var masked = FrameRanges()
    private var skipped = FrameRanges()
    private var cut = FrameRanges()
    /// The stretches in files, with what was cut out of them.
    private var kept = FrameRanges()

    /// Makes the account of a sink without any audio.
    init() {}

    /// Makes the account of a sink by the stretches in its files, and by the ranges in its ledger.
    /// - Parameter pauses: the stretches in which the recording was paused, if the ledger may not tell of all.
    init(files: FrameRanges, _ sink: CallLedger.Sink, pauses: [Range<Int>] = []) {
        kept = files
        silence = sink.ranges?.silence ?? FrameRanges()
        masked = sink.ranges?.masked ?? FrameRanges()
        skipped = sink.ranges?.skipped ?? FrameRanges()
        cut = sink.ranges?.cut ?? FrameRanges()
        switch sink.onPause ?? .silence {
        case .record: break
        case .silence: masked = masked.union(FrameRanges(pauses))
        case .skip: skipped = skipped.union(FrameRanges(pauses))
        }
    }

    /// Notes that a stretch is not the call's audio. A stretch that is noted again after a failure counts once.
    mutating func note(_ substitute: Substitute, _ range: Range<Int>) {
        switch substitute {
        case .silence: silence.insert(range)
        case .masked: masked.insert(range)
        case .skipped: skipped.insert(range)
        case .cut: cut.insert(range)
        }
    }

    /// Forgets what was cut from a position on, because another instance of the filters decides on it again.
    mutating func forgetCuts(from position: Int) { cut = cut.clamped(to: 0..<max(0, position)) }

    /// Returns the position on the timeline behind so many frames of a file, in the file's shape.
    func position(behind frames: Int, from start: Int, in shape: AudioFormat, of call: AudioFormat) -> Int {
        cut.position(behind: frames, from: start, in: shape, of: call)
    }

    /// Notes that a stretch is in a file.
    mutating func keep(_ range: Range<Int>) { kept.insert(range) }

    /// The end of the files and of the stretches left out.
    private var end: Int { max(kept.end ?? 0, skipped.end ?? 0, cut.end ?? 0) }

    /// The account as far as the files and the stretches left out reach.
    var tally: Tally { tally(received: end) }

    /// Returns the account of a call with so many frames. Frames neither in a file nor left out are lost.
    func tally(received: Int) -> Tally {
        let call = 0..<max(0, received)
        let held = kept.clamped(to: call)
        let cut = cut.clamped(to: call)
        let skipped = skipped.clamped(to: call).subtracting(held).subtracting(cut)
        let silence = silence.within(held).subtracting(cut)
        let masked = masked.within(held).subtracting(silence).subtracting(cut)
        var tally = Tally()
        tally.written = held.subtracting(cut).frames - silence.frames - masked.frames
        tally.ranges.cut = cut
        tally.ranges.silence = silence
        tally.ranges.masked = masked
        tally.ranges.skipped = skipped
        tally.ranges.lost = FrameRanges([call]).subtracting(held).subtracting(skipped).subtracting(cut)
        return tally
    }

    /// Returns the account of a running call. It reaches to the end of the files and of the open part, and lists every
    /// substitute noted so far, even beyond that end.
    func interim(open part: Range<Int>?) -> Tally {
        var account = self
        if let part { account.keep(part) }
        var tally = account.tally
        tally.ranges.silence = silence
        tally.ranges.masked = masked
        tally.ranges.skipped = skipped
        tally.ranges.cut = cut
        return tally
    }
}

extension FrameRanges {
    /// Returns the frames also present in another list.
    func within(_ other: FrameRanges) -> FrameRanges { subtracting(subtracting(other)) }
}
