import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// Tests of recovery while a sink's own directory does not answer.
@Suite struct HungRootTests {
    /// Plants an interrupted call with one file, under `root` or in the recordings directory.
    private func plant(_ name: String, root: Workspace? = nil, in bench: InterruptedBench) throws -> RecordingID {
        let id = RecordingID()
        var sink = CallLedger.Sink(type: "probe", name: "probe", state: .recording)
        sink.files = [CallLedger.File(name: "\(name).pcm", directory: root?.path, bytes: 0, start: FramePosition(0))]
        sink.directories = root.map { [$0.path] }
        let manifest = CallLedger(
            id: id, name: name, call: CallFacts(carrier: "test"), format: .telephone,
            startedAt: Date(timeIntervalSince1970: 1_000_000), sinks: [sink])
        try bench.workspace.plant(
            ".partial/\(id)/\(name).json", String(decoding: try manifest.encoded(), as: UTF8.self))
        try (root ?? bench.workspace).plant(".partial/\(id)/\(name).pcm", String(repeating: "ab", count: 100))
        return id
    }

    @Test func `calls whose directories answer are recovered at once, and the others when theirs do`() async throws {
        let bench = try InterruptedBench(), stuck = try Workspace(), free = try Workspace()
        let gate = Gate(), log = Collected<String>(), told = Collected<String>()
        defer { gate.open() }
        let names = ["one", "two", "three", "four"], roots = [stuck, free, nil, stuck]
        let ids = try zip(names, roots).map { try plant($0, root: $1, in: bench) }
        let logger = Logger(label: "test") { _ in LogBook(entries: Collected(), everything: log) }
        let watch = RootWatch(answerLimit: .milliseconds(100)) { if $0 == stuck.path { gate.wait() } }
        let recovery = Recovery(store: bench.store, registry: testRegistry, logger: logger, watch: watch)
        for round in 0..<2 {
            let findings = recovery.run(onRecovery: { told.append($0.name) })
            let waiting = findings.filter { $0.outcome == .waits }
            #expect(findings.count == (round == 0 ? 4 : 2))
            #expect(
                Set(waiting.map(\.directory)) == Set([ids[0], ids[3]].map { bench.workspace.file(".partial/\($0)") }))
            #expect(
                waiting.allSatisfy {
                    $0.problems.count == 1 && $0.problems[0].contains("\(stuck.path) does not answer")
                })
            #expect(told.values.sorted() == ["three", "two"] && !recovery.isHeldUp)
            // The directory is never asked by a second thread.
            #expect(gate.waiting == 1)
        }
        #expect(log.values.count { $0.contains("does not answer") } == 1)
        gate.open()
        try await until("it answers again") { gate.waiting == 0 }
        #expect(recovery.run(onRecovery: { told.append($0.name) }).map(\.problems) == [[], []])
        #expect(told.values.sorted() == names.sorted())
        #expect(try bench.problems() == [])
    }

    @Test func `a directory that hangs in the middle of a recovery holds up its own call alone`() async throws {
        let bench = try InterruptedBench(), root = try Workspace()
        let gate = Gate(), looks = Collected<Void>(), told = Collected<String>()
        defer { gate.open() }
        _ = try plant("far", root: root, in: bench)
        var store = bench.store
        store.onStep = { step in if case .repaired = step, looks.count == 1 { gate.wait() } }
        // The directory answers once.
        let watch = RootWatch(answerLimit: .milliseconds(100)) { _ in
            looks.append(())
            if looks.count > 1 { gate.wait() }
        }
        let recovery = Recovery(store: store, registry: testRegistry, logger: silentLogger, watch: watch)
        let first = recovery.run(onRecovery: { told.append($0.name) })
        #expect(first.count == 1 && first[0].problems.first?.contains("\(root.path) does not answer") == true)
        #expect(recovery.isHeldUp)
        _ = try plant("near", in: bench)
        #expect(recovery.run(onRecovery: { told.append($0.name) }).map(\.problems.count).sorted() == [0, 1])
        #expect(told.values == ["near"])
        gate.open()
        try await until("it goes on by itself") { told.count == 2 && !recovery.isHeldUp }
        #expect(recovery.run().isEmpty)
        #expect(try bench.problems() == [])
    }

    @Test
    func `a recovery that takes long is waited for as long as its directory answers, but not by a program that ends`()
        async throws
    {
        let bench = try InterruptedBench(), root = try Workspace()
        let gate = Gate(), looks = Collected<Void>(), isEnding = Mutex(false), told = Collected<String>()
        defer { gate.open() }
        _ = try plant("far", root: root, in: bench)
        var store = bench.store
        store.onStep = { step in if case .repaired = step { gate.wait() } }
        let watch = RootWatch(answerLimit: .milliseconds(50)) { _ in looks.append(()) }
        let recovery = Recovery(store: store, registry: testRegistry, logger: silentLogger, watch: watch)
        let run = Task {
            await BlockingExecutor(name: "test").run {
                recovery.run(isEnding: { isEnding.withLock { $0 } }, onRecovery: { told.append($0.name) })
            }
        }
        try await until("the directory is asked again and again") { looks.count > 3 }
        #expect(told.count == 0)
        isEnding.withLock { $0 = true }
        #expect(await run.value.map(\.problems.count) == [1])
        gate.open()
        try await until("it goes on by itself") { told.count == 1 && !recovery.isHeldUp }
    }
}
