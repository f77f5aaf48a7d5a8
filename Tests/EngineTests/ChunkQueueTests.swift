import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// A queue of half a second at 8000 Hz, 4000 frames.
///
/// It records the pushed positions and counts the announcements of free space.
final class QueueBench: Sendable {
    let queue: ChunkQueue
    let announcements = Collected<Void>()
    private let pushed = Mutex(0)

    init(checkpoint: Double = 3600, stallLimit: Double = 10, holdLimit: Double = 10, finishLimit: Double = 60) {
        var envelope = SinkEnvelope()
        envelope.buffer = 0.5
        envelope.checkpoint = checkpoint
        envelope.stallLimit = stallLimit
        envelope.holdLimit = holdLimit
        envelope.finishLimit = finishLimit
        queue = ChunkQueue(envelope: envelope, format: .telephone) { [announcements] in announcements.append(()) }
    }

    /// Pushes the next frames.
    func push(_ frames: Int, isPaused: Bool = false, now: ContinuousClock.Instant? = nil) -> Bool {
        let start = pushed.withLock { pushed in
            defer { pushed += frames }
            return pushed
        }
        return queue.push(
            PCMChunk(
                samples: ramp(start..<start + frames), format: .telephone, start: FramePosition(start),
                isPaused: isPaused), now: now)
    }

    /// Returns a description of the next item.
    func next() async -> String { await queue.next().words }
}

extension ChunkQueue.Item {
    var words: String {
        switch self {
        case .chunk(let chunk): "chunk \(chunk.start.frames)..<\(chunk.end.frames)"
        case .gap(let frames, let start, let isPaused):
            "\(isPaused ? "paused " : "")gap \(start.frames)..<\(start.frames + frames)"
        case .event(let event): "event \(event.type) at \(event.frame.frames)"
        case .checkpoint: "checkpoint"
        case .end: "end"
        }
    }
}

/// A moment beyond the run of any test.
let farFuture = ContinuousClock.now + .seconds(1_000_000)

@Suite struct ChunkQueueTests {
    @Test func `chunks come in order, and the end after them`() async {
        let bench = QueueBench()
        for frames in [320, 1, 640] { #expect(bench.push(frames)) }
        bench.queue.close("the caller hung up")
        #expect(await bench.next() == "chunk 0..<320")
        #expect(await bench.next() == "chunk 320..<321")
        #expect(await bench.next() == "chunk 321..<961")
        #expect(await bench.next() == "end")
    }

    @Test func `a worker that waits gets the chunk at once`() async throws {
        let bench = QueueBench()
        async let first = bench.next()
        #expect(bench.push(320))
        #expect(await first == "chunk 0..<320")
        async let second = bench.next()
        bench.queue.close("the caller hung up")
        #expect(await second == "end")
    }

    @Test func `a full queue says so, and what does not fit is kept all the same`() async {
        let bench = QueueBench()
        #expect(bench.push(3999))
        #expect(!bench.push(1))
        #expect(!bench.push(5))
        bench.queue.close("the caller hung up")
        #expect(await bench.next() == "chunk 0..<3999")
        #expect(await bench.next() == "chunk 3999..<4000")
        #expect(await bench.next() == "chunk 4000..<4005")
        #expect(bench.queue.droppedFrames == 0)
    }

    @Test func `room is announced once, when the queue is half empty`() async {
        let bench = QueueBench()
        for _ in 0..<3 { #expect(bench.push(1000)) }
        #expect(!bench.push(1000))
        _ = await bench.next()
        #expect(bench.announcements.count == 0)
        _ = await bench.next()
        #expect(bench.announcements.count == 1)
        _ = await bench.next()
        _ = await bench.next()
        #expect(bench.announcements.count == 1)
        #expect(bench.push(1000))
    }

    @Test func `room is not announced to a call that was never told to wait`() async {
        let bench = QueueBench()
        #expect(bench.push(3000))
        _ = await bench.next()
        #expect(bench.announcements.count == 0)
    }

    @Test func `a call that pushes while it was told to wait is still told of room`() async {
        let bench = QueueBench()
        for _ in 0..<3 { #expect(bench.push(1000)) }
        #expect(!bench.push(1000))
        _ = await bench.next()
        // A socket hands over bytes that it has already read. The call still waits for an announcement in any case.
        #expect(!bench.push(10))
        for _ in 0..<4 { _ = await bench.next() }
        #expect(bench.announcements.count == 1)
    }

    @Test func `a failed sink holds up nobody`() async {
        let bench = QueueBench()
        #expect(!bench.push(4000))
        bench.queue.fail()
        #expect(bench.announcements.count == 1)
        #expect(bench.push(4000))
        #expect(bench.push(4000))
        bench.queue.close("the caller hung up")
        bench.queue.fail()
        #expect(bench.announcements.count == 1)
        let pulse = bench.queue.tick(now: farFuture)
        #expect(!pulse.stalledNow)
        #expect(!pulse.isLost)
    }

    @Test func `what comes after the end is refused quietly`() async {
        let bench = QueueBench()
        bench.queue.close("the caller hung up")
        #expect(bench.push(320))
        #expect(await bench.next() == "end")
    }

    @Test func `a checkpoint is due when frames came and the time has come`() async {
        let due = QueueBench(checkpoint: 0)
        #expect(due.push(10))
        #expect(await due.next() == "chunk 0..<10")
        #expect(due.push(10))
        #expect(await due.next() == "checkpoint")
        #expect(await due.next() == "chunk 10..<20")
        let early = QueueBench(checkpoint: 3600)
        #expect(early.push(10))
        #expect(early.push(10))
        #expect(await early.next() == "chunk 0..<10")
        #expect(await early.next() == "chunk 10..<20")
    }

    @Test func `a tick wakes a waiting worker for a due checkpoint, once for each time that frames came`() async throws
    {
        let bench = QueueBench(checkpoint: 3600)
        let items = Collected<String>()
        let worker = Task {
            while true {
                let item = await bench.next()
                items.append(item)
                if item == "end" { return }
            }
        }
        // Without audio, no checkpoint is due.
        _ = bench.queue.tick(now: farFuture)
        #expect(bench.push(10))
        try await until("the checkpoint comes") {
            _ = bench.queue.tick(now: farFuture)
            return items.values.last == "checkpoint"
        }
        // The next is due an hour after that.
        _ = bench.queue.tick(now: farFuture + .seconds(3599))
        #expect(bench.push(10))
        try await until("the chunk comes") { items.values.last == "chunk 10..<20" }
        _ = bench.queue.tick(now: farFuture + .seconds(3599))
        try await until("the next checkpoint comes") {
            _ = bench.queue.tick(now: farFuture + .seconds(3600))
            return items.values.last == "checkpoint"
        }
        _ = bench.queue.tick(now: farFuture + .seconds(9999))
        bench.queue.close("the caller hung up")
        await worker.value
        #expect(items.values == ["chunk 0..<10", "checkpoint", "chunk 10..<20", "checkpoint", "end"])
    }
}
