import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct StalledQueueTests {
    @Test func `a full queue without progress is left behind, and the call is freed`() {
        let bench = QueueBench(stallLimit: 10)
        #expect(!bench.push(4000))
        #expect(!bench.queue.tick(now: .now).stalledNow)
        #expect(!bench.queue.isStalled)
        #expect(bench.announcements.count == 0)
        #expect(bench.queue.tick(now: farFuture).stalledNow)
        #expect(bench.queue.isStalled)
        #expect(bench.announcements.count == 1)
        #expect(!bench.queue.tick(now: farFuture).stalledNow)
        #expect(bench.push(320))
    }

    @Test func `a queue with room is never left behind`() {
        let bench = QueueBench(stallLimit: 0.1)
        #expect(bench.push(3999))
        #expect(!bench.queue.tick(now: farFuture).stalledNow)
        #expect(!bench.queue.isStalled)
    }

    @Test func `what a sink misses becomes one gap at its place, and then it is back`() async {
        let bench = QueueBench()
        for _ in 0..<4 { _ = bench.push(1000) }
        _ = bench.queue.tick(now: farFuture)
        for frames in [100, 1, 899] { #expect(bench.push(frames)) }
        #expect(bench.queue.droppedFrames == 1000)
        #expect(await bench.next() == "chunk 0..<1000")
        #expect(bench.queue.isStalled)
        #expect(bench.push(50))
        #expect(await bench.next() == "chunk 1000..<2000")
        #expect(!bench.queue.isStalled)
        #expect(bench.push(320))
        bench.queue.close("the caller hung up")
        #expect(await bench.next() == "chunk 2000..<3000")
        #expect(await bench.next() == "chunk 3000..<4000")
        #expect(await bench.next() == "gap 4000..<5050")
        #expect(await bench.next() == "chunk 5050..<5370")
        #expect(await bench.next() == "end")
        #expect(bench.queue.droppedFrames == 1050)
    }

    @Test func `a sink that falls behind again has a second gap`() async {
        let bench = QueueBench()
        _ = bench.push(4000)
        _ = bench.queue.tick(now: farFuture)
        _ = bench.push(10)
        #expect(await bench.next() == "chunk 0..<4000")
        #expect(!bench.push(4000))
        #expect(bench.queue.tick(now: farFuture).stalledNow)
        _ = bench.push(20)
        bench.queue.close("the caller hung up")
        #expect(await bench.next() == "gap 4000..<4010")
        #expect(await bench.next() == "chunk 4010..<8010")
        #expect(await bench.next() == "gap 8010..<8030")
        #expect(await bench.next() == "end")
        #expect(bench.queue.droppedFrames == 30)
    }

    @Test func `the memory of a stalled queue does not grow with the call`() async {
        let bench = QueueBench()
        _ = bench.push(4000)
        _ = bench.queue.tick(now: farFuture)
        for _ in 0..<1000 { #expect(bench.push(320)) }
        bench.queue.close("the caller hung up")
        #expect(await bench.next() == "chunk 0..<4000")
        #expect(await bench.next() == "gap 4000..<324000")
        #expect(await bench.next() == "end")
    }

    @Test func `a sink that shows no progress after the end is lost when its time is over`() async {
        let bench = QueueBench(finishLimit: 60)
        _ = bench.push(320)
        #expect(!bench.queue.tick(now: farFuture).isLost)
        bench.queue.close("the caller hung up")
        #expect(!bench.queue.tick(now: .now).isLost)
        #expect(bench.queue.tick(now: farFuture).isLost)
        let late = QueueBench(finishLimit: 1_000_000_000)
        late.queue.close("the caller hung up")
        #expect(!late.queue.tick(now: farFuture).isLost)
    }

    @Test func `a sink has at least the time of a stall to come to its end`() {
        let bench = QueueBench(stallLimit: 1_000_000_000, finishLimit: 1)
        bench.queue.close("the caller hung up")
        #expect(!bench.queue.tick(now: farFuture).isLost)
    }

    /// One task pushes, one takes, one moves the clock. In every order, no frame is lost, doubled or shifted.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `frames taken and gaps make up what was pushed, in order`(seed: UInt64) async {
        let (room, ring) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        var envelope = SinkEnvelope()
        envelope.buffer = 0.5
        envelope.checkpoint = 0
        let queue = ChunkQueue(envelope: envelope, format: .telephone) { ring.yield() }
        let isOver = Mutex(false)
        async let clock: Void = {
            while !isOver.withLock({ $0 }) {
                _ = queue.tick(now: farFuture)
                await Task.yield()
            }
        }()
        async let taken = take(all: queue)
        var generator = Generator(state: seed)
        var waiting = room.makeAsyncIterator()
        var position = 0
        for _ in 0..<5000 {
            let frames = Int.random(in: 1...1500, using: &generator)
            let chunk = PCMChunk(
                samples: ramp(position..<position + frames), format: .telephone, start: FramePosition(position))
            position += frames
            if !queue.push(chunk) { _ = await waiting.next() }
            if Int.random(in: 0..<8, using: &generator) == 0 { await Task.yield() }
        }
        queue.close("the caller hung up")
        let (written, silence, isOrdered) = await taken
        isOver.withLock { $0 = true }
        await clock
        #expect(isOrdered)
        #expect(written + silence == position)
        #expect(silence == queue.droppedFrames)
    }

    private func take(all queue: ChunkQueue) async -> (written: Int, silence: Int, isOrdered: Bool) {
        var written = 0, silence = 0, isOrdered = true
        while true {
            switch await queue.next() {
            case .chunk(let chunk):
                isOrdered = isOrdered && chunk.start.frames == written + silence
                written += chunk.frameCount
            case .gap(let frames, let start, _):
                isOrdered = isOrdered && start.frames == written + silence
                silence += frames
            case .checkpoint, .event: await Task.yield()
            case .end: return (written, silence, isOrdered)
            }
        }
    }
}
