import CallreelSinks
import CallreelTesting
import Foundation
import Synchronization
import TestSupport

@testable import CallreelCore
@testable import CallreelEngine

/// Runs histories of a recordings directory on a simulated disk, with clocks that stand still.
struct HistoryBench {
    /// The sinks that repair the files of histories.
    static let registry = SinkRegistry.builtIn

    /// The disk before each history: the directories, and a recording published long before.
    let start: DiskImage
    /// The content of the older recording.
    let older: [String: [UInt8]]
    let clocks = ManualClocks()
    /// The clocks of recoveries. Each recovery is an hour after the last one, so that nothing looks as if it were being
    /// made at this moment.
    private let later = ManualClocks()

    init() throws {
        let disk = SimulatedDisk(), clocks = clocks
        try Self.with(disk, clocks) {
            for root in [KnownCall.home, KnownCall.far] {
                try FileSystem.makeDirectories(root + "/.partial", mode: 0o755)
            }
            try KnownCall(name: "day/older").record(Self.store(), disk, Promises())
        }
        start = disk.image.synchronized()
        older = start.files
    }

    static func store() throws -> RecordingStore {
        RecordingStore(directory: KnownCall.home, template: try NameTemplate("day/call"))
    }

    static func with<Result>(_ disk: SimulatedDisk, _ clocks: ManualClocks, _ body: () throws -> Result) rethrows
        -> Result
    {
        try FileSystem.$disk.withValue(disk) { try Clocks.$current.withValue(Clocks(clocks), operation: body) }
    }

    /// Records a call on a disk, and returns what was promised. The call may be cut short.
    func record(_ call: KnownCall, _ disk: SimulatedDisk, attempts: Int = 1) -> Promises {
        let promises = Promises()
        Self.with(disk, clocks) { try? call.record(Self.store(), disk, promises, attempts: attempts) }
        return promises
    }

    /// Recovers what a history left on a disk.
    func recover(_ disk: SimulatedDisk) throws -> [Recovery.Finding] {
        later.advance(by: 3600)
        return try Self.with(disk, later) { try recover(within: RootWatch.answerLimit) }
    }

    /// Recovers a disk that may hang, by the system's clocks.
    func recover(hanging disk: SimulatedDisk) throws -> [Recovery.Finding] {
        try FileSystem.$disk.withValue(disk) { try recover(within: .milliseconds(20)) }
    }

    private func recover(within limit: Duration) throws -> [Recovery.Finding] {
        try Recovery(
            store: Self.store(), registry: Self.registry, roots: [KnownCall.far], logger: silentLogger,
            watch: RootWatch(answerLimit: limit)
        ).run()
    }

    /// Returns what is on the disk at the next start, after the end of the program or a power cut.
    /// - Parameter seed: nil is the end of the program.
    func next(_ image: DiskImage, seed: UInt64?) -> DiskImage {
        guard let seed else { return image.afterKill() }
        return image.afterPowerCut(seed: seed, time: later.date.timeIntervalSince1970 + 3590)
    }

    /// Recovers the disk of the next start twice, and returns the broken invariants.
    func violations(_ image: DiskImage, _ call: KnownCall, _ promises: [Promises.Promise], wasKilled: Bool) throws
        -> [String]
    {
        let disk = SimulatedDisk(image), findings = try recover(disk)
        let judge = HistoryJudge(calls: [(call, promises)], older: older, wasKilled: wasKilled)
        var found = judge.violations(disk.image, findings)
        let first = disk.image
        let again = try recover(disk)
        if disk.image.files != first.files || disk.image.directories != first.directories {
            found.append("a second recovery changed the disk")
        }
        if again.contains(where: { $0.outcome == .published }) { found.append("a second recovery published") }
        return found
    }

    /// A seed of a moment: the end of the program, the loss of everything not synced, of nothing, and then by chance.
    static func seed(_ round: Int, at moment: Int) -> UInt64? {
        round == 0 ? nil : round < 3 ? UInt64(round - 1) : UInt64(moment * 1000 + round)
    }

    /// The first seeds of a moment.
    static func seeds(_ count: Int, at moment: Int) -> [UInt64?] { (0..<count).map { seed($0, at: moment) } }

    /// Cuts a recorded call at every operation, with several choices of what survives.
    /// - Parameters:
    ///   - rounds: the number of choices of what survives, at each operation.
    ///   - plan: the planted faults.
    ///   - onHistory: called after each history with its broken invariants. Returns false to stop.
    func cutEverywhere(
        _ call: KnownCall, rounds: Int, hasLinks: Bool = true,
        plan: @escaping @Sendable (DiskOperation) -> DiskFault? = { _ in nil },
        _ onHistory: (_ place: String, [String]) -> Bool
    ) throws {
        let disk = SimulatedDisk(start, hasLinks: hasLinks, keepsHistory: true, plan: plan)
        let promises = record(call, disk)
        let end = DiskOperation(kind: .close, path: "the end", index: disk.operationCount)
        let moments = disk.history + [(end, disk.image)]
        for round in 0..<rounds {
            for (operation, before) in moments {
                let seed = Self.seed(round, at: operation.index)
                let found = try violations(
                    next(before, seed: seed), call, promises.given(before: operation.index), wasKilled: seed == nil)
                guard onHistory("before \(operation), \(Self.text(seed))", found) else { return }
            }
        }
    }

    /// Describes a seed in a failed expectation.
    static func text(_ seed: UInt64?) -> String { seed.map { "cut \($0)" } ?? "killed" }
}
