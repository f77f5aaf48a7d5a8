import CallreelCore
import DequeModule

/// The last chunks and events that a sink took. After a failure, the next instance starts from them where the files
/// end.
struct RecentChunks {
    /// Frames kept at least.
    let limit: Int
    private var chunks: Deque<PCMChunk> = []
    private var events: Deque<CallEvent> = []

    /// Makes an empty store for at least so many frames; 0 keeps none, for a sink that cannot go on after a failure.
    init(limit: Int) { self.limit = limit }

    /// The first frame kept; nil if there is none.
    var start: Int? { chunks.first?.start.frames }

    /// Adds the chunk that is about to be written.
    mutating func append(_ chunk: PCMChunk) {
        guard limit > 0 else { return }
        chunks.append(chunk)
        while let first = chunks.first, chunk.end.frames - first.end.frames >= limit { chunks.removeFirst() }
        while let first = events.first, first.frame < chunks[0].start { events.removeFirst() }
    }

    /// Adds an event that is about to be given.
    mutating func append(_ event: CallEvent) {
        if limit > 0 { events.append(event) }
    }

    /// Returns the kept events from a frame of the call on, counted in the shape of the sink.
    func events(from frame: Int, in shape: AudioFormat, of call: AudioFormat) -> [CallEvent] {
        events.compactMap { $0.frame.frames < frame ? nil : $0.counted(in: shape, from: call) }
    }

    /// Returns the kept audio from a frame of the call on.
    func from(_ frame: Int) -> [PCMChunk] {
        chunks.compactMap { $0.end.frames <= frame ? nil : $0.dropFirst(frame - $0.start.frames) }
    }
}
