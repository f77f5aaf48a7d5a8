import NIOCore
import NIOEmbedded
import Testing

@testable import CallreelServer

@Suite struct ReadClockTests {
    private let loop = EmbeddedEventLoop()

    @Test func `everybody is woken once in each interval, and groups at different times`() throws {
        let clock = ReadClocks(interval: .milliseconds(200)).clock(of: loop)
        var woken = [Int](repeating: 0, count: 25)
        var together: [Int] = []
        let tickets = woken.indices.map { index in clock.add { woken[index] += 1 } }
        for _ in 0..<ReadClock.groupCount {
            let before = woken.reduce(0, +)
            loop.advanceTime(by: .milliseconds(20))
            together.append(woken.reduce(0, +) - before)
        }
        #expect(woken.allSatisfy { $0 == 1 })
        #expect(together.allSatisfy { 2...3 ~= $0 })
        loop.advanceTime(by: .milliseconds(400))
        #expect(woken.allSatisfy { $0 == 3 })
        for ticket in tickets { clock.remove(ticket) }
        loop.advanceTime(by: .seconds(1))
        #expect(woken.allSatisfy { $0 == 3 })
        // The clock goes on with clients added later, and with clients that leave while they are woken.
        var last: ReadClock.Ticket?
        var calls = 0
        last = clock.add {
            calls += 1
            if let last { clock.remove(last) }
        }
        loop.advanceTime(by: .seconds(1))
        #expect(calls == 1)
    }

    @Test func `a loop has one clock`() {
        let clocks = ReadClocks(interval: .milliseconds(200)), other = EmbeddedEventLoop()
        #expect(clocks.clock(of: loop) === clocks.clock(of: loop))
        #expect(clocks.clock(of: loop) !== clocks.clock(of: other))
    }

    @Test func `buffers are large only as long as they come back full`() {
        var buffers = ReadBuffers(bytesPerRead: 8000)
        #expect(buffers.nextBufferSize() == 8000)
        #expect(!buffers.record(actualReadBytes: 7999) && buffers.nextBufferSize() == 8000)
        #expect(buffers.record(actualReadBytes: 8000) && buffers.nextBufferSize() == ReadBuffers.large)
        #expect(!buffers.record(actualReadBytes: ReadBuffers.large) && buffers.nextBufferSize() == ReadBuffers.large)
        #expect(!buffers.record(actualReadBytes: 100) && buffers.nextBufferSize() == 8000)
        #expect(buffers.buffer(allocator: ByteBufferAllocator()).capacity >= 8000)
        #expect(ReadBuffers(bytesPerRead: 800).nextBufferSize() == 2048)
        #expect(ReadBuffers(bytesPerRead: 1 << 20).nextBufferSize() == ReadBuffers.large)
    }
}
