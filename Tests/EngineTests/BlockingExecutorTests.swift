import Foundation
import Synchronization
import Testing

@testable import CallreelCore

/// Returns the calling thread's nice value.
private func niceness() -> Int32 {
    #if canImport(Glibc)
        getpriority(.init(PRIO_PROCESS.rawValue), 0)
    #else
        getpriority(PRIO_PROCESS, 0)
    #endif
}

/// Returns the running thread's name. Asynchronous code may not use `Thread.current` itself.
private func threadName() -> String? { Thread.current.name }

/// An actor with blocking work to do.
private actor Caller {
    private let executor = BlockingExecutor(name: "test")

    func block(at gate: Gate) async { await executor.run { gate.wait() } }

    func answer() -> Int { 42 }
}

@Suite struct BlockingExecutorTests {
    @Test func `a result comes back`() async {
        let executor = BlockingExecutor(name: "test")
        #expect(await executor.run { 6 * 7 } == 42)
    }

    @Test func `an error comes back as what it is`() async {
        let executor = BlockingExecutor(name: "test")
        let error = await #expect(throws: SinkError.self) {
            try await executor.run { () throws(SinkError) -> Int in
                throw SinkError(.open, "no", underlying: 13, blame: .options)
            }
        }
        #expect(error?.underlying == 13)
        #expect(error?.blame == .options)
    }

    @Test func `work does not run on the actor that waits for it`() async throws {
        let caller = Caller(), gate = Gate(), answers = Collected<Int>()
        defer { gate.open() }
        Task { await caller.block(at: gate) }
        try await until("the work blocks") { gate.waiting == 1 }
        Task { answers.append(await caller.answer()) }
        try await until("the actor answers all the same") { answers.values == [42] }
    }

    @Test func `code that blocks stays on the executor's threads, also after it waited`() async throws {
        let executor = BlockingExecutor(name: "test"), gate = Gate()
        defer { gate.open() }
        // More of them than Swift's own pool, on which this test runs, has threads.
        let count = ProcessInfo.processInfo.activeProcessorCount + 3
        for _ in 0..<count {
            Task(executorPreference: executor) {
                await Task.yield()
                await executor.run {}
                gate.wait()
            }
        }
        try await until("all of them block") {
            executor.relieve()
            return gate.waiting == count
        }
        #expect(await Task.detached { 42 }.value == 42)
    }

    @Test func `threads in the background come after all others`() async {
        let own = niceness()
        #expect(await BlockingExecutor(name: "test").run { niceness() } == own)
        #if os(Linux)
            #expect(
                await BlockingExecutor(name: "test", isBackground: true).run { niceness() }
                    == max(own, BlockingExecutor.niceness))
        #endif
    }

    @Test func `threads carry the executor's name`() async throws {
        let executor = BlockingExecutor(name: "test"), names = Collected<String?>()
        try await until("a thread has its name") {
            Task(executorPreference: executor) { names.append(threadName()) }
            return names.values.contains("sink test")
        }
    }

    @Test func `one task's jobs run one after the other, in order`() async {
        let executor = BlockingExecutor(name: "test")
        await withTaskGroup(of: [Int].self) { group in
            for _ in 0..<20 {
                group.addTask {
                    let seen = Collected<Int>()
                    for number in 0..<200 { await executor.run { seen.append(number) } }
                    return seen.values
                }
            }
            for await seen in group { #expect(seen == Array(0..<200)) }
        }
    }

    @Test func `many tasks at once are all served`() async {
        let executor = BlockingExecutor(name: "test")
        let sum = await withTaskGroup(of: Int.self) { group in
            for number in 0..<2000 { group.addTask { await executor.run { number } } }
            return await group.reduce(0, +)
        }
        #expect(sum == 1999 * 1000)
    }

    @Test func `threads that are stuck for ever do not hold up the others once relieved`() async throws {
        let executor = BlockingExecutor(name: "test"), gate = Gate()
        defer { gate.open() }
        let stuck = max(2, ProcessInfo.processInfo.activeProcessorCount) + 3
        for number in 1...stuck {
            Task(executorPreference: executor) { gate.wait() }
            try await until("job \(number) is stuck") {
                executor.relieve()
                return gate.waiting == number
            }
        }
        let finished = Collected<Int>()
        for number in 0..<10 { Task(executorPreference: executor) { finished.append(number) } }
        try await until("the others are served") {
            executor.relieve()
            return finished.count == 10
        }
        #expect(gate.waiting == stuck)
    }

    @Test func `a second job is not left behind a first that waits for it`() async throws {
        // As many jobs as guaranteed threads. The jobs wait for each other, so none may be queued behind another.
        for _ in 0..<300 {
            let executor = BlockingExecutor(name: "test"), gate = Gate(), done = Collected<Void>()
            defer { gate.open() }
            await executor.run {}
            // The thread is idle again, or about to be.
            Task(executorPreference: executor) {
                gate.wait()
                done.append(())
            }
            Task(executorPreference: executor) {
                gate.open()
                done.append(())
            }
            try await until("both jobs are done") { done.count == 2 }
        }
    }

    @Test func `a stuck executor makes no more threads than it may`() async throws {
        let executor = BlockingExecutor(name: "test"), gate = Gate()
        defer { gate.open() }
        for _ in 0..<BlockingExecutor.threadLimit + 20 { Task(executorPreference: executor) { gate.wait() } }
        try await until("as many threads as may be are stuck") {
            executor.relieve()
            return gate.waiting == BlockingExecutor.threadLimit
        }
        for _ in 0..<100 { executor.relieve() }
        #expect(executor.threadCount == BlockingExecutor.threadLimit)
    }

    @Test func `threads that are not needed any more end, and those of right stay`() async throws {
        let executor = BlockingExecutor(name: "test", threads: 2, threadLimit: 5, idleLimit: 0.01), gate = Gate()
        for _ in 0..<5 { Task(executorPreference: executor) { gate.wait() } }
        try await until("all are stuck") {
            executor.relieve()
            return gate.waiting == 5
        }
        gate.open()
        try await until("the surplus is gone") { executor.threadCount == 2 }
        #expect(await executor.run { 42 } == 42)
    }
}
