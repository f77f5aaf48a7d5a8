import DequeModule

/// What a sink took of the call's timeline, and what of it is in its files. Everything is counted in frames from the call's first.
struct SinkAccount {
    /// What may stand in a sink in place of the call's audio.
    enum Substitute: CaseIterable {
        /// Silence in place of dropped audio.
        case silence
        /// Silence in place of what came while the recording was paused.
        case masked
        /// Nothing at all, because the recording was paused.
        case skipped
    }

    /// How far the sink has come on the timeline.
    private(set) var position = 0
    /// What is not the call's audio, in order.
    private var substitutes: [Substitute: [Range<Int>]] = [:]
    /// What is in files, in order.
    private var kept: [Range<Int>] = []

    /// Frames of the call's audio in the files.
    var written: Int { kept.map(\.count).reduce(0, +) - silence - masked }

    /// Frames of silence in the files, in place of dropped ones.
    var silence: Int { keptFrames(.silence) }

    /// Frames of silence in the files, in place of what came while the recording was paused.
    var masked: Int { keptFrames(.masked) }

    /// Frames that are in no file because the recording was paused.
    var skipped: Int { substitutes[.skipped, default: []].map(\.count).reduce(0, +) }

    /// The sink has taken everything before this place.
    mutating func advance(to end: FramePosition) { position = max(position, end.frames) }

    /// Another sink goes on from this place, which may be one that was reached before.
    mutating func restart(at begin: Int) { position = begin }

    /// This stretch is not the call's audio. One that is told of again, to another sink, counts once.
    mutating func note(_ substitute: Substitute, _ range: Range<Int>) {
        var ranges = substitutes[substitute, default: []]
        let start = max(range.lowerBound, ranges.last?.upperBound ?? 0)
        guard start < range.upperBound else { return }
        if let last = ranges.last, last.upperBound == start {
            ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
        } else {
            ranges.append(start..<range.upperBound)
        }
        substitutes[substitute] = ranges
    }

    /// This stretch is in a file.
    mutating func keep(_ range: Range<Int>) {
        if let last = kept.last, last.upperBound == range.lowerBound {
            kept[kept.count - 1] = last.lowerBound..<range.upperBound
        } else {
            kept.append(range)
        }
    }

    private func keptFrames(_ substitute: Substitute) -> Int {
        kept.reduce(0) { sum, range in substitutes[substitute, default: []].reduce(sum) { $0 + $1.clamped(to: range).count } }
    }
}

/// The last chunks that a sink took, so that another one can go on where its files end.
struct RecentChunks {
    /// Frames that are kept at least.
    let limit: Int
    private var chunks: Deque<PCMChunk> = []

    /// Keeps at least so many frames; none when nobody can go on.
    init(limit: Int) { self.limit = limit }

    /// The first frame that is still here, if any is.
    var start: Int? { chunks.first?.start.frames }

    /// Adds the chunk that is about to be written.
    mutating func append(_ chunk: PCMChunk) {
        guard limit > 0 else { return }
        chunks.append(chunk)
        while let first = chunks.first, chunk.end.frames - first.end.frames >= limit { chunks.removeFirst() }
    }

    /// What is here from a place on.
    func from(_ frame: Int) -> [PCMChunk] {
        chunks.compactMap { $0.end.frames <= frame ? nil : $0.dropFirst(frame - $0.start.frames) }
    }
}
