import DequeModule

/// What a sink took of the call's timeline, and what of it is in its files. Everything is counted in frames from the call's first.
struct SinkAccount {
    /// How far the sink has come on the timeline.
    private(set) var position = 0
    /// What was silence in place of dropped audio, in order.
    private var silences: [Range<Int>] = []
    /// What is in files, in order.
    private var kept: [Range<Int>] = []

    /// Frames of the call's audio in the files.
    var written: Int { kept.map(\.count).reduce(0, +) - silence }

    /// Frames of silence in the files.
    var silence: Int {
        kept.reduce(0) { sum, range in silences.reduce(sum) { $0 + $1.clamped(to: range).count } }
    }

    /// The sink has taken everything before this place.
    mutating func advance(to end: FramePosition) { position = max(position, end.frames) }

    /// This stretch is silence. Each is told of once, in order.
    mutating func noteSilence(_ range: Range<Int>) {
        if let last = silences.last, last.upperBound == range.lowerBound {
            silences[silences.count - 1] = last.lowerBound..<range.upperBound
        } else {
            silences.append(range)
        }
    }

    /// This stretch is in a file.
    mutating func keep(_ range: Range<Int>) { kept.append(range) }
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
