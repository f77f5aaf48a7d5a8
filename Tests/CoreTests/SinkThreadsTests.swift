import Foundation
import Testing

@testable import CallreelCore

@Suite struct SinkThreadsTests {
    @Test func `a sink stays on its thread, whatever the others do`() async {
        let threads = SinkThreads(name: "test")
        let homes = await withTaskGroup(of: Set<ObjectIdentifier>.self) { group in
            for _ in 0..<40 {
                let executor = threads.next()
                group.addTask {
                    var seen: Set<ObjectIdentifier> = []
                    for _ in 0..<100 { seen.insert(await executor.run { ObjectIdentifier(Thread.current) }) }
                    return seen
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(homes.allSatisfy { $0.count == 1 })
        // The sinks are spread over all of them.
        #expect(Set(homes.joined()).count == max(2, ProcessInfo.processInfo.activeProcessorCount))
    }

    @Test func `the sinks behind one that is stuck get help`() async throws {
        let threads = SinkThreads(name: "test"), gate = Gate(), served = Collected<Int>()
        defer { gate.open() }
        let stuck = max(2, ProcessInfo.processInfo.activeProcessorCount)
        for _ in 0..<stuck { Task(executorPreference: threads.next()) { gate.wait() } }
        try await until("all threads are stuck") { gate.waiting == stuck }
        for number in 0..<10 { Task(executorPreference: threads.next()) { served.append(number) } }
        try await until("the others are served") {
            threads.relieve()
            return served.count == 10
        }
        #expect(gate.waiting == stuck)
    }
}
