import Foundation
import Synchronization
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct SinkThreadsTests {
    @Test func `a sink stays on its thread, whatever the others do`() async throws {
        let threads = SinkThreads(name: "test")
        let clients = (0..<40).map { _ in Client(threads.thread()) { await Task.yield() } }
        for _ in 0..<100 { for client in clients { client.call() } }
        try await until("all are served") { clients.allSatisfy { $0.served == 100 } }
        #expect(clients.allSatisfy { $0.homes.count == 1 })
        // The sinks are spread over all threads.
        #expect(
            clients.reduce(into: Set()) { $0.formUnion($1.homes) }.count
                == max(2, ProcessInfo.processInfo.activeProcessorCount))
    }

    @Test func `calls of a group share a thread, and groups are spread over all of them`() {
        let threads = SinkThreads(name: "test"), count = BlockingExecutor.coreCount
        let homes = (0..<2 * count).map { ObjectIdentifier(threads.thread(for: $0)) }
        #expect(homes[..<count] == homes[count...])
        #expect(Set(homes).count == count)
    }

    @Test func `clients are served in the order in which they call`() async throws {
        let thread = SinkThread(name: "test"), gate = Gate(), order = Collected<Int>()
        defer { gate.open() }
        thread.serve(Client(thread) { gate.wait() })
        try await until("the thread is busy") { gate.waiting == 1 }
        for number in 0..<100 { thread.serve(Client(thread) { order.append(number) }) }
        gate.open()
        try await until("all are served") { order.count == 100 }
        #expect(order.values == Array(0..<100))
    }

    @Test func `a sink that suspends does not hold up those behind it`() async throws {
        let thread = SinkThread(name: "test"), (room, ring) = AsyncStream<Void>.makeStream(), order = Collected<Int>()
        let slow = Client(thread) {
            for await _ in room { return order.append(0) }
        }
        slow.call()
        for number in 1...3 { thread.serve(Client(thread) { order.append(number) }) }
        try await until("the others are served") { order.count == 3 }
        ring.yield()
        try await until("it is served too") { order.count == 4 }
        #expect(order.values == [1, 2, 3, 0])
        #expect(slow.homes.count == 1)
    }

    @Test func `a sink with much to take lets the others have their turn`() async throws {
        let threads = SinkThreads(name: "test"), gate = Gate(), probe = Probe(), seen = Collected<Int>(),
            workspace = try Workspace()
        let thread = (0..<BlockingExecutor.coreCount).map { _ in threads.thread() }[0]
        thread.serve(Client(thread) { gate.wait() })
        let bench = QueueBench()
        for _ in 0..<100 { _ = bench.push(10) }
        bench.queue.close("the caller hung up")
        var options = ProbeOptions()
        options.probe = probe.name
        SinkService<ProbeSink>.start(options, SinkJob(places: [workspace.place()], queue: bench.queue), on: threads) {
            _ in
        }
        thread.serve(Client(thread) { seen.append(probe.samples.count) })
        gate.open()
        try await until("the sink is finished") { probe.isFinished }
        #expect(seen.values.count == 1 && seen.values[0] < 1000)
    }

    @Test func `the sinks behind one that is stuck get help`() async throws {
        let threads = SinkThreads(name: "test"), gate = Gate(), served = Collected<Int>()
        defer { gate.open() }
        let stuck = max(2, ProcessInfo.processInfo.activeProcessorCount)
        // Queued at once, so that these clients need another thread when theirs gets stuck.
        for _ in 0..<stuck {
            let thread = threads.thread()
            thread.serve(Client(thread) { gate.wait() })
            for number in 0..<5 { thread.serve(Client(thread) { served.append(number) }) }
        }
        try await until("the others are served") {
            threads.relieve()
            return served.count == 5 * stuck
        }
        #expect(gate.waiting == stuck)
    }
}

/// A client that does the same work at each call, and records its thread.
private final class Client: SinkThread.Client {
    private let thread: SinkThread
    private let work: @Sendable () async -> Void
    private let state = Mutex((homes: Set<ObjectIdentifier>(), served: 0))

    init(_ thread: SinkThread, work: @escaping @Sendable () async -> Void) {
        self.thread = thread
        self.work = work
    }

    /// The threads on which it was served.
    var homes: Set<ObjectIdentifier> { state.withLock { $0.homes } }

    /// The number of times it was served.
    var served: Int { state.withLock { $0.served } }

    func call() { thread.serve(self) }

    func serve() async {
        note()
        await work()
        note()
        state.withLock { $0.served += 1 }
    }

    private func note() { _ = state.withLock { $0.homes.insert(ObjectIdentifier(Thread.current)) } }
}
