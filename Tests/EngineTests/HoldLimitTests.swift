import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// A sink that makes progress, but slower than the call.
@Suite struct HoldLimitTests {
    /// A queue whose sink takes a chunk of a tenth of a second now and then, with a clock moved by the test.
    private final class SlowBench {
        let bench: QueueBench
        var now = ContinuousClock.now
        /// Seconds that the call has waited, by the test's own count.
        var waited = 0.0
        private var hasRoom = true
        /// Chunks spoken and not yet taken by the call.
        private var backlog = 0

        init(holdLimit: Double) { bench = QueueBench(stallLimit: 1_000_000, holdLimit: holdLimit) }

        /// Moves the clock by a tenth of a second. The call sends all it may, and the sink takes `takes` chunks.
        func step(takes: Int) -> ChunkQueue.StallReason? {
            now += .milliseconds(100)
            let before = bench.announcements.count
            backlog += 1
            if !hasRoom { waited += 0.1 }
            while hasRoom, backlog > 0 {
                backlog -= 1
                hasRoom = bench.push(800, now: now)
            }
            for _ in 0..<takes { _ = bench.queue.take(now: now) }
            let stall = bench.queue.tick(now: now).stall
            if bench.announcements.count > before { hasRoom = true }
            return stall
        }
    }

    @Test(arguments: [1.0, 10])
    func `a sink at half speed is left behind when it has held the call back for as long as it may`(limit: Double) {
        let slow = SlowBench(holdLimit: limit)
        var step = 0
        while slow.step(takes: step % 2) == nil, step < 10_000 { step += 1 }
        #expect(slow.bench.queue.isStalled)
        // The sink takes half a second of audio in each second, so the call waits for twice the limit.
        // The steps of this test are coarse: one step in six is the call's return to sending.
        #expect((1.9 * limit...2.6 * limit + 1).contains(slow.waited), "\(slow.waited)")
        #expect(abs(slow.bench.queue.holds.seconds - slow.waited) < 1)
        #expect(slow.bench.push(800), "the call goes on")
    }

    @Test func `a sink that comes back and falls behind again does not get its time again`() {
        let slow = SlowBench(holdLimit: 2)
        var stalls = 0, waits: [Double] = []
        for step in 0..<20_000 where slow.step(takes: step % 2) != nil {
            stalls += 1
            waits.append(slow.waited)
        }
        #expect(stalls > 100)
        // The sink may hold the call back once. Each later time, it stalls almost as soon as it is full.
        #expect(slow.waited < 4 + 0.3 * Double(stalls), "\(slow.waited) s in \(stalls) times")
        #expect(waits.last == slow.waited || slow.waited - (waits.last ?? 0) < 5)
    }

    @Test func `a sink that has caught up has all of its time again`() {
        let slow = SlowBench(holdLimit: 3)
        for _ in 0..<6 {
            // The sink takes nothing until the call has waited for two seconds, and then takes everything quickly.
            let before = slow.waited
            for _ in 0..<100 where slow.waited - before < 2 { #expect(slow.step(takes: 0) == nil) }
            #expect(slow.waited - before >= 2)
            for _ in 0..<40 { #expect(slow.step(takes: 3) == nil) }
        }
        #expect(slow.bench.queue.droppedFrames == 0)
    }

    @Test func `a sender that is faster than time with a sink that is too is never left behind`() {
        let bench = QueueBench(stallLimit: 1_000_000, holdLimit: 0.01)
        var now = ContinuousClock.now
        for _ in 0..<2000 {
            for _ in 0..<10 where !bench.push(800, now: now) { break }
            // A tenth of a second, in which the sink takes two tenths.
            now += .milliseconds(100)
            for _ in 0..<2 { _ = bench.queue.take(now: now) }
            #expect(bench.queue.tick(now: now).stall == nil)
        }
        #expect(bench.queue.droppedFrames == 0)
        #expect(bench.queue.holds.seconds > 1)
    }

    @Test func `a sink that may not hold the call back is left behind as soon as it is full`() {
        let bench = QueueBench(holdLimit: 0)
        #expect(bench.push(3999))
        #expect(bench.push(1))
        #expect(bench.queue.isStalled)
        #expect(bench.queue.tick(now: .now).stall == .heldTooLong)
        #expect(bench.push(10))
        #expect(bench.queue.droppedFrames == 10)
    }

    @Test func `audio that can wait is never dropped because a sink is slow`() {
        var envelope = SinkEnvelope()
        envelope.stallLimit = 1_000_000
        let queue = ChunkQueue(envelope: envelope, format: .telephone, mayHold: true) {}
        var now = ContinuousClock.now
        var start = 0
        func push() -> Bool {
            defer { start += 8000 }
            return queue.push(
                PCMChunk(samples: ramp(start..<start + 8000), format: .telephone, start: FramePosition(start)))
        }
        for _ in 0..<100 where !push() { break }
        for step in 0..<400 {
            now += .seconds(1)
            if step.isMultiple(of: 4) { _ = queue.take() }
            #expect(queue.tick(now: now).stall == nil)
        }
    }

    /// A long gap takes time to write. The call does not wait for it.
    @Test func `a sink that writes a long gap slowly does not hold the call back for long`() {
        let bench = QueueBench(stallLimit: 1_000_000, holdLimit: 2)
        var now = ContinuousClock.now
        _ = bench.push(4000, now: now)
        // Stalled because it took nothing, with its whole hold time used up.
        for _ in 0..<100 where !bench.queue.isStalled {
            now += .seconds(1)
            _ = bench.queue.tick(now: now)
        }
        _ = bench.push(8_000_000)
        while case .chunk = bench.queue.take(now: now) {}
        #expect(!bench.push(4000, now: now))
        // The sink took half a second of audio, and now needs two seconds to write one second of silence.
        // Its hold time is exceeded with the second one.
        var waited = 0
        while !bench.queue.isStalled, waited < 100 {
            waited += 1
            now += .seconds(1)
            bench.queue.noteProgress(gapFrames: 4000)
            _ = bench.queue.tick(now: now)
        }
        #expect(waited == 2)
    }

    @Test func `a gap in a pause is no loss, and is apart from the gap before it`() async {
        let bench = QueueBench()
        _ = bench.push(4000)
        _ = bench.queue.tick(now: farFuture)
        _ = bench.push(100)
        for _ in 0..<3 { _ = bench.push(200, isPaused: true) }
        _ = bench.push(50)
        bench.queue.close("the caller hung up")
        #expect(bench.queue.droppedFrames == 150)
        for item in ["chunk 0..<4000", "gap 4000..<4100", "paused gap 4100..<4700", "gap 4700..<4750", "end"] {
            #expect(await bench.next() == item)
        }
    }
}
