import CallreelTesting
import Foundation
import Synchronization
import Testing

@testable import CallreelCore
@testable import CallreelEngine

/// Histories of calls on a simulated disk: recorded, published, cut off anywhere, and recovered.
///
/// Each history is judged by ``HistoryJudge``, from the bytes that are left.
@Suite(.ownThreads) struct PublicationHistoryTests {
    /// A kind of call.
    enum Shape: String, CaseIterable, CustomTestStringConvertible {
        case near, far, late, lateFar
        var testDescription: String { rawValue }
        var call: KnownCall {
            KnownCall(hasFar: self == .far || self == .lateFar, isLate: self == .late || self == .lateFar)
        }
    }

    /// Records at most a few broken invariants of many histories, and counts the histories.
    final class Verdict {
        private(set) var histories = 0
        private(set) var broken: [String] = []

        func add(_ place: String, _ found: [String]) -> Bool {
            histories += 1
            if !found.isEmpty { broken.append("\(place): \(found)") }
            return broken.count < 3
        }
    }

    @Test(arguments: Shape.allCases)
    func `a call that is cut off at any operation keeps every invariant`(shape: Shape) throws {
        let bench = try HistoryBench(), verdict = Verdict()
        try bench.cutEverywhere(shape.call, rounds: 15, verdict.add)
        #expect(verdict.broken == [])
        #expect(verdict.histories > 1000)
    }

    @Test func `a call on a disk without hard links keeps every invariant`() throws {
        let bench = try HistoryBench(), verdict = Verdict()
        try bench.cutEverywhere(KnownCall(), rounds: 9, hasLinks: false, verdict.add)
        #expect(verdict.broken == [])
    }

    @Test(arguments: Shape.allCases)
    func `a recovery that is cut off at any operation is finished by the next one`(shape: Shape) throws {
        let bench = try HistoryBench(), verdict = Verdict(), call = shape.call
        let disk = SimulatedDisk(bench.start, keepsHistory: true)
        let promises = bench.record(call, disk)
        let history = disk.history
        for (operation, before) in history where operation.index.isMultiple(of: 5) {
            let seed = HistoryBench.seed(operation.index / 5 % 4, at: operation.index)
            let recovering = SimulatedDisk(bench.next(before, seed: seed), keepsHistory: true)
            _ = try bench.recover(recovering)
            for (step, image) in recovering.history {
                for second in HistoryBench.seeds(5, at: step.index) {
                    // What survived a first cut may be lost in a second one, if it was never synced.
                    let wasKilled = seed == nil && second == nil
                    let found = try bench.violations(
                        bench.next(image, seed: second), call, promises.given(before: operation.index),
                        wasKilled: wasKilled)
                    guard
                        verdict.add(
                            "before \(operation), \(HistoryBench.text(seed)); \(step), \(HistoryBench.text(second))",
                            found)
                    else { break }
                }
            }
        }
        #expect(verdict.broken == [])
    }

    @Test(arguments: [EIO, ENOSPC, EMFILE])
    func `an operation that fails keeps every invariant, with and without a power cut`(number: Int32) throws {
        let bench = try HistoryBench(), verdict = Verdict()
        for shape in Shape.allCases {
            let call = shape.call
            let whole = SimulatedDisk(bench.start)
            _ = bench.record(call, whole)
            for index in 0..<whole.operationCount {
                let disk = SimulatedDisk(bench.start) { $0.index == index ? .fail(number) : nil }
                let promises = bench.record(call, disk, attempts: 2)
                for seed in HistoryBench.seeds(4, at: index) {
                    let found = try bench.violations(
                        bench.next(disk.image, seed: seed), call, promises.given(before: .max), wasKilled: seed == nil)
                    guard verdict.add("\(shape), operation \(index), \(HistoryBench.text(seed))", found) else {
                        break
                    }
                }
            }
        }
        #expect(verdict.broken == [])
    }

    @Test func `a recovery in which an operation fails is finished by the next one`() throws {
        let bench = try HistoryBench(), verdict = Verdict(), call = KnownCall()
        let disk = SimulatedDisk(bench.start, keepsHistory: true)
        let promises = bench.record(call, disk)
        for (operation, before) in disk.history where operation.index.isMultiple(of: 8) {
            let image = bench.next(before, seed: 0), whole = SimulatedDisk(image)
            _ = try bench.recover(whole)
            for index in 0..<whole.operationCount {
                let failing = SimulatedDisk(image) { $0.index == index ? .fail(EIO) : nil }
                _ = try bench.recover(failing)
                let found = try bench.violations(
                    bench.next(failing.image, seed: UInt64(index)), call, promises.given(before: operation.index),
                    wasKilled: false)
                guard verdict.add("before \(operation), failing \(index)", found) else { break }
            }
        }
        #expect(verdict.broken == [])
    }

    @Test func `a disk that is full at any byte keeps every invariant, once it has room again`() throws {
        let bench = try HistoryBench(), verdict = Verdict(), call = KnownCall()
        let used = bench.start.usedBytes
        for bytes in stride(from: 0, to: 6000, by: 29) {
            let disk = SimulatedDisk(bench.start, capacity: used + bytes)
            let promises = bench.record(call, disk, attempts: 2)
            for seed in HistoryBench.seeds(4, at: bytes) {
                // The first recovery finds the disk as full as before.
                let full = SimulatedDisk(bench.next(disk.image, seed: seed), capacity: used + bytes)
                _ = try bench.recover(full)
                let found = try bench.violations(
                    full.image, call, promises.given(before: .max), wasKilled: seed == nil)
                guard verdict.add("\(bytes) bytes, \(HistoryBench.text(seed))", found) else { break }
            }
        }
        #expect(verdict.broken == [])
    }

    /// A sync that does nothing, although the engine relies on it.
    enum MissingSync: String, CaseIterable, CustomTestStringConvertible {
        case file, linkedNames, publishedManifest, preparedManifest
        var testDescription: String { rawValue }

        /// Returns the plan of a disk that leaves the sync out.
        func plan() -> @Sendable (DiskOperation) -> DiskFault? {
            let linked = Mutex((audio: false, manifest: false))
            return { operation in
                switch operation.kind {
                case .link:
                    linked.withLock {
                        if operation.path.hasSuffix(".raw") { $0.audio = true } else { $0.manifest = true }
                    }
                    return nil
                case .synchronize:
                    switch self {
                    case .file: return operation.path.hasSuffix(".raw") ? .skip : nil
                    case .preparedManifest: return operation.path.hasSuffix(".final.new") ? .skip : nil
                    case .linkedNames, .publishedManifest: return nil
                    }
                case .synchronizeDirectory where operation.path == KnownCall.home + "/day":
                    let (audio, manifest) = linked.withLock { $0 }
                    switch self {
                    case .linkedNames: return audio && !manifest ? .skip : nil
                    case .publishedManifest: return manifest ? .skip : nil
                    case .file, .preparedManifest: return nil
                    }
                default: return nil
                }
            }
        }
    }

    @Test(arguments: MissingSync.allCases)
    func `a missing sync is found`(sync: MissingSync) throws {
        let bench = try HistoryBench(), verdict = Verdict()
        try bench.cutEverywhere(KnownCall(), rounds: 40, plan: sync.plan()) { place, found in
            _ = verdict.add(place, found)
            return verdict.broken.isEmpty
        }
        #expect(!verdict.broken.isEmpty, "\(verdict.histories) histories did not show it")
    }

    @Test func `a directory that hangs at any operation holds up no other call`() throws {
        let bench = try HistoryBench()
        let near = KnownCall(name: "day/near"), far = KnownCall(name: "day/far", hasFar: true)
        let farDisk = SimulatedDisk(bench.start, keepsHistory: true)
        _ = bench.record(far, farDisk)
        // The far call was cut off before its files were published.
        let cut = try #require(farDisk.history.first { $0.operation.kind == .link }?.before)
        let both = SimulatedDisk(cut) { $0.kind == .link ? .cut : nil }
        _ = bench.record(near, both)
        let image = bench.next(both.image, seed: nil)
        let counts = Mutex(0)
        let whole = SimulatedDisk(image) { operation in
            if operation.path.hasPrefix(KnownCall.far) { counts.withLock { $0 += 1 } }
            return nil
        }
        _ = try bench.recover(whole)
        #expect(whole.image.files["/archive/day/far.json"] != nil && whole.image.files["/archive/day/near.json"] != nil)
        for hanging in 0..<counts.withLock({ $0 }) {
            let seen = Mutex(0)
            let disk = SimulatedDisk(image) { operation in
                guard operation.path.hasPrefix(KnownCall.far) else { return nil }
                return seen.withLock { seen in
                    defer { seen += 1 }
                    return seen >= hanging ? .hang : nil
                }
            }
            let begin = ContinuousClock.now
            _ = try bench.recover(hanging: disk)
            #expect(ContinuousClock.now - begin < .seconds(20), "it waited for a disk that hangs")
            #expect(disk.image.files["/archive/day/near.json"] != nil, "operation \(hanging) held up the other call")
            disk.release()
            while disk.hangingCount > 0 { Thread.sleep(forTimeInterval: 0.001) }
        }
    }
}
