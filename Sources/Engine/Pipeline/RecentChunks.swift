import CallreelCore
import DequeModule

/// The last chunks that a sink took. After a failure, the next instance starts from them where the files end.
struct RecentChunks {
    /// Frames kept at least.
    let limit: Int
    private var chunks: Deque<PCMChunk> = []

    /// Makes an empty store for at least so many frames; 0 keeps none, for a sink that cannot go on after a failure.
    init(limit: Int) { self.limit = limit }

    /// The first frame kept; nil if there is none.
    var start: Int? { chunks.first?.start.frames }

    /// Adds the chunk that is about to be written.
    mutating func append(_ chunk: PCMChunk) {
        guard limit > 0 else { return }
        chunks.append(chunk)
        while let first = chunks.first, chunk.end.frames - first.end.frames >= limit { chunks.removeFirst() }
    }

    /// Returns the kept audio from a frame of the call on.
    func from(_ frame: Int) -> [PCMChunk] {
        chunks.compactMap { $0.end.frames <= frame ? nil : $0.dropFirst(frame - $0.start.frames) }
    }
}
