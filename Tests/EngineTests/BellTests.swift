import Synchronization
import Testing

@testable import CallreelCore

@Suite struct BellTests {
    @Test func `a ring that nobody waited for is heard by the next wait, several as one`() async throws {
        let bell = Bell(), heard = Collected<Int>()
        bell.ring()
        bell.ring()
        let listener = Task {
            for number in 1...3 {
                await bell.wait()
                heard.append(number)
            }
        }
        try await until("the first is heard") { heard.values == [1] }
        bell.ring()
        try await until("the second is heard") { heard.values == [1, 2] }
        bell.ring()
        await listener.value
        #expect(heard.values == [1, 2, 3])
    }

    @Test func `a cancelled task waits all the same, and hears the ring`() async throws {
        let bell = Bell(), begun = Collected<Void>(), heard = Collected<Bool>()
        let isRung = Atomic(false)
        let listener = Task {
            while !Task.isCancelled { await Task.yield() }
            begun.append(())
            await bell.wait()
            heard.append(isRung.load(ordering: .sequentiallyConsistent))
        }
        listener.cancel()
        try await until("it waits") { begun.count == 1 }
        // Time enough for a faulty wait to return at once.
        try await Task.sleep(for: .milliseconds(20))
        #expect(heard.count == 0)
        isRung.store(true, ordering: .sequentiallyConsistent)
        bell.ring()
        try await until("it is heard") { heard.values == [true] }
        await listener.value
    }

    /// Each ring is answered before the next. A lost ring would leave both waiting.
    @Test func `two that answer each other's ring lose none`() async throws {
        let ping = Bell(), pong = Bell(), rounds = Atomic(0)
        let count = 2000
        let answering = Task.detached {
            for _ in 0..<count {
                await ping.wait()
                pong.ring()
            }
        }
        let asking = Task.detached {
            for _ in 0..<count {
                ping.ring()
                await pong.wait()
                rounds.wrappingAdd(1, ordering: .relaxed)
            }
        }
        try await until("all are answered") { rounds.load(ordering: .relaxed) == count }
        await answering.value
        await asking.value
    }

    /// A listener sees all work done before a ring, even if the ring is the last of a burst.
    @Test func `a listener that looks after each ring sees what came before the last`() async throws {
        for _ in 0..<100 {
            let bell = Bell(), said = Atomic(0), looks = Atomic(0), seen = Atomic(0)
            let listener = Task.detached {
                while said.load(ordering: .sequentiallyConsistent) < 3 {
                    looks.wrappingAdd(1, ordering: .sequentiallyConsistent)
                    await Task.yield()
                    await bell.wait()
                }
                seen.store(1, ordering: .sequentiallyConsistent)
            }
            for number in 1...3 {
                // As soon as the listener has looked, so that many rings come before it waits.
                let deadline = ContinuousClock.now + .seconds(120)
                while looks.load(ordering: .sequentiallyConsistent) < number {
                    try #require(ContinuousClock.now < deadline, "it has heard ring \(number - 1)")
                    await Task.yield()
                }
                said.wrappingAdd(1, ordering: .sequentiallyConsistent)
                bell.ring()
            }
            try await until("the listener has seen all three") { seen.load(ordering: .sequentiallyConsistent) == 1 }
            await listener.value
        }
    }
}
