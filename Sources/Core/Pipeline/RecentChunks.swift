import DequeModule

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
