import CallreelTesting
import Foundation
import Synchronization
import Testing

@testable import CallreelCore
@testable import CallreelEngine

/// A whole recorder on a simulated disk, cut off anywhere, and recovered by the next one.
/// One test at a time, because each keeps all cores busy.
@Suite(.serialized, .ownThreads) struct RecorderHistoryTests {
    @Test func `a recorder that is cut off at any operation keeps every invariant`() async throws {
        let disk = SimulatedDisk(try RecorderHistory.start(), keepsHistory: true)
        let run = try await RecorderHistory.record(on: disk)
        let recording = try run.result.get()
        #expect(recording.sinks.map(\.state) == [.complete, .complete, .complete])
        let verdict = PublicationHistoryTests.Verdict(), clocks = ManualClocks(Date() + 3600)
        let begin = disk.history.firstIndex { $0.operation.path.contains("/.partial/new-") } ?? 0
        let end = DiskOperation(kind: .close, path: "the end", index: disk.operationCount)
        search: for (operation, before) in disk.history[begin...] + [(end, disk.image)]
        where operation.index.isMultiple(of: 2) {
            // Each time the end of the program and the loss of everything not synced, and by turns another power cut.
            for round in [0, 1, 2 + operation.index / 2 % 4] {
                let seed = HistoryBench.seed(round, at: operation.index)
                let image = seed.map {
                    before.afterPowerCut(seed: $0, time: clocks.date.timeIntervalSince1970 + 3590)
                }
                let found = try RecorderHistory.violations(
                    image ?? before.afterKill(), run, before: operation.index, mayHaveHoles: round > 2, clocks)
                guard verdict.add("before \(operation), \(HistoryBench.text(seed))", found) else { break search }
            }
        }
        #expect(verdict.broken == [])
        #expect(verdict.histories > 150)
    }

    @Test(arguments: [EIO, ENOSPC])
    func `a recorder with a failing operation keeps every invariant`(number: Int32) async throws {
        let whole = SimulatedDisk(try RecorderHistory.start())
        _ = try await RecorderHistory.record(on: whole)
        let broken = Collected<String>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<whole.operationCount where index.isMultiple(of: number == EIO ? 4 : 6) {
                group.addTask {
                    let disk = SimulatedDisk(try RecorderHistory.start()) { $0.index == index ? .fail(number) : nil }
                    let run = try await RecorderHistory.record(on: disk)
                    let found = try RecorderHistory.violations(
                        disk.image.afterKill(), nil, before: .max, ManualClocks(Date() + 3600))
                    if !found.isEmpty { broken.append("operation \(index): \(found), \(run.summary)") }
                }
            }
            try await group.waitForAll()
        }
        #expect(broken.values == [])
    }

    @Test func `a sink's directory that hangs at any operation holds up no other sink`() async throws {
        let count = Collected<Void>()
        let whole = SimulatedDisk(try RecorderHistory.start()) { operation in
            if operation.path.hasPrefix(RecorderHistory.far) { count.append(()) }
            return nil
        }
        _ = try await RecorderHistory.record(on: whole)
        let broken = Collected<String>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for hanging in stride(from: 0, to: count.count, by: 4) {
                group.addTask {
                    let seen = Mutex(0)
                    let disk = SimulatedDisk(try RecorderHistory.start()) { operation in
                        guard operation.path.hasPrefix(RecorderHistory.far) else { return nil }
                        return seen.withLock { seen in
                            defer { seen += 1 }
                            return seen >= hanging ? .hang : nil
                        }
                    }
                    let run = try await RecorderHistory.record(on: disk, hurries: true)
                    let sinks = (try? run.result.get().sinks) ?? []
                    if !sinks.prefix(2).allSatisfy({ $0.state == .complete }) || sinks.isEmpty {
                        broken.append("operation \(hanging): \(run.summary)")
                    }
                    disk.release()
                    while disk.hangingCount > 0 { try await Task.sleep(for: .milliseconds(1)) }
                }
            }
            try await group.waitForAll()
        }
        #expect(broken.values == [])
    }
}
