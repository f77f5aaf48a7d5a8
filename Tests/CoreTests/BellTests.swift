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

    @Test func `a cancelled task hears it all the same`() async throws {
        let bell = Bell(), heard = Collected<Void>()
        let listener = Task {
            await bell.wait()
            heard.append(())
            await bell.wait()
        }
        listener.cancel()
        bell.ring()
        try await until("it is heard") { heard.count == 1 }
        bell.ring()
        await listener.value
    }

    @Test func `a listener that looks after each ring misses nothing`() async {
        let bell = Bell(), said = Collected<Int>()
        async let saying: Void = {
            for number in 0..<5000 {
                said.append(number)
                bell.ring()
            }
        }()
        while said.count < 5000 { await bell.wait() }
        await saying
        #expect(said.count == 5000)
    }
}
