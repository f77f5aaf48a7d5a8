import CoreMetrics
import Foundation
import Logging
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A directory that recordings go to: threads for its disk calls, and the result of the last rehearsal there.
///
/// Each directory is rehearsed on a thread of its own, so that one that hangs hides nothing about the others.
final class StorageDirectory: Sendable {
    /// How full a disk is.
    enum Level: Int, Comparable, Sendable {
        case fine, low, critical

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    /// The result of the last rehearsal.
    private struct State {
        var room: FileSystem.Room?
        var level = Level.fine
        /// Why nothing can be recorded there.
        var problem: String?
        /// Whether the directory must not even be tried: it is not the one that it was.
        var isForeign = false
        /// When the rehearsal began that runs now.
        var began: ContinuousClock.Instant?
        /// How long what it does now may take.
        var limit = Duration.zero
        /// Rehearsals that succeeded since something was brought to stable storage; nil when that has failed.
        var sinceSync: Int?
        /// Called before each look; nil but in tests.
        var beforeLook: (@Sendable () -> Void)?
        /// What gives up the calls that wait for this directory, and since when they do, by number.
        var waiting: [Int: WaitingCall] = [:]
        var nextWaiting = 0
        /// The reads that wait for this directory, by number.
        var reading: [Int: WaitingCall] = [:]
        /// Whether calls no longer wait while the directory hangs.
        var isGivenUp = false
        /// Whether a hang was logged that goes on.
        var isHangLogged = false
        /// The file system, and the name that it was given, at the first rehearsal that succeeded.
        var device: UInt64?
        var volume: String?
    }

    /// A disk call that waits for the directory.
    private struct WaitingCall {
        let since = ContinuousClock.now
        var takesLong = false
        let giveUp: @Sendable () -> Void
    }

    /// Time after which a rehearsal that has not come back means that the directory hangs.
    static let hangLimit = Duration.seconds(5)
    /// Time after which a sync, or a step of a call, that has not come back means the same. A busy disk is not a broken one.
    static let busyLimit = Duration.seconds(30)
    /// One of so many rehearsals brings something to stable storage: about each minute.
    private static let syncInterval = 12
    /// Time after which a single read is given up, also where the rehearsals come back.
    static let readLimit = Duration.seconds(30)
    /// How many files are read there at once for clients of the server.
    static let readThreads = 4
    /// Files that may still be made below which an operator is warned.
    static let lowFiles = 1000
    /// How the empty directory in `.partial` is called whose name tells one disk from another that is mounted in its place.
    static let volumePrefix = "volume-"

    /// The directory, without a slash at its end.
    let path: String
    /// Threads for disk calls there.
    let threads: BlockingExecutor
    /// Threads that read files for clients of the server. They are few, and no call waits for them.
    private let readers: BlockingExecutor
    private let mustExist: Bool
    private let mode: mode_t
    private let marks: SpaceMarks
    private let hangLimit: Duration
    private let busyLimit: Duration
    private let meter: Meter
    private let rehearsals: BlockingExecutor
    private let probe = Rehearsal.prefix + RecordingID().description
    private let state = Mutex(State())

    /// Describes a directory; nothing is touched before ``rehearse(_:)``.
    init(
        _ path: String, mustExist: Bool, mode: mode_t, marks: SpaceMarks, metrics: RecorderMetrics, hangLimit: Duration = StorageDirectory.hangLimit,
        busyLimit: Duration = StorageDirectory.busyLimit
    ) {
        self.path = path
        self.mustExist = mustExist
        self.mode = mode
        self.marks = marks
        self.hangLimit = hangLimit
        self.busyLimit = busyLimit
        meter = metrics.freeBytes(path)
        threads = BlockingExecutor(name: "disk")
        readers = BlockingExecutor(name: "read", threads: Self.readThreads, threadLimit: Self.readThreads)
        rehearsals = BlockingExecutor(name: "rehearsal", threads: 1, threadLimit: 1)
    }

    /// Whether a rehearsal has succeeded: from then on, the directory is not made again where it is missing.
    var isKnown: Bool { state.withLock { $0.device != nil } }

    /// How full the disk is.
    var level: Level { state.withLock { $0.level } }

    /// Why the directory does not answer, if it does not.
    var hang: String? {
        let (began, limit) = state.withLock { ($0.began, $0.limit) }
        guard let began else { return nil }
        let waited = ContinuousClock.now - began
        return waited < limit ? nil : "\(path) has not answered for \(waited.components.seconds) seconds"
    }

    /// Whether nothing is to be waited for here: the directory or a disk call of a call hangs.
    var isStuck: Bool { hang != nil || delay != nil }

    /// What an operator should know about calls that wait for the disk, if one has for long.
    var delay: String? {
        let oldest = state.withLock { $0.waiting.values.filter { !$0.takesLong }.map(\.since).min() }
        guard let since = oldest, .now - since >= busyLimit else { return nil }
        return "a call has waited for \(path) for \((ContinuousClock.now - since).components.seconds) seconds"
    }

    /// Why nothing can be recorded here, in words, if that is so.
    var problem: String? { hang ?? state.withLock { $0.problem } }

    /// Why the directory must not be touched, if that is so: it hangs, or another disk is in its place.
    var refusal: String? { hang ?? state.withLock { $0.isForeign ? $0.problem : nil } }

    /// What an operator should know about the room that is left, if there is little.
    var shortage: String? {
        let (room, level) = state.withLock { ($0.room, $0.level) }
        guard let room else { return nil }
        if level > .fine { return "\(room.bytes / 1_000_000) MB are free under \(path)" }
        if let files = room.files, files < Self.lowFiles { return "\(files) more files can be made under \(path)" }
        return nil
    }

    /// Starts a rehearsal, unless one still runs. Does not wait.
    func rehearse(_ logger: Logger) {
        let isHangNew = state.withLock { state -> Bool? in
            guard let began = state.began else {
                state.began = .now
                state.limit = hangLimit
                return nil
            }
            defer { state.isHangLogged = state.isHangLogged || .now - began >= state.limit }
            return .now - began >= state.limit && !state.isHangLogged
        }
        if let isHangNew {
            if isHangNew { logger.error("a directory does not answer", metadata: ["directory": "\(path)"]) }
            return
        }
        // No child of ours: what hangs can be neither cancelled nor awaited. It ends with its disk, or with the process.
        Task(executorPreference: rehearsals) { [self] in look(logger) }
    }

    /// Has something done before each look, for tests.
    func beforeLook(_ action: @escaping @Sendable () -> Void) { state.withLock { $0.beforeLook = action } }

    /// Rehearses here and now, and keeps the result. Blocks.
    func look(_ logger: Logger) {
        let (device, volume, beforeLook) = state.withLock { ($0.device, $0.volume, $0.beforeLook) }
        beforeLook?()
        var found = Found()
        do throws(RecordingError) {
            // The directory above counts where this one is missing: below a mount point without its disk, nothing is made.
            if let device, let now = standing.flatMap(FileSystem.device), now != device, !volumes().contains(where: { $0 == volume }) {
                found.isForeign = true
                throw RecordingError("\(path) is on another file system than before; was its disk unmounted?")
            }
            if device == nil { Rehearsal.removeLeftovers(in: path) }
            let rehearsal = Rehearsal(root: path, mode: mode, name: probe, mayMake: !mustExist, isFirst: device == nil)
            found.outcome = try rehearsal.run()
            found.volume = volume ?? nameVolume()
            let isSyncDue = state.withLock { state in
                if let count = state.sinceSync, count + 1 < Self.syncInterval {
                    state.sinceSync = count + 1
                    return false
                }
                state.sinceSync = nil
                if state.began != nil { (state.began, state.limit) = (.now, busyLimit) }
                return true
            }
            if isSyncDue {
                try rehearsal.synchronize()
                state.withLock { $0.sinceSync = 0 }
            }
        } catch {
            found.isForeign = found.isForeign || error.underlying == ENOENT
            found.problem = error.reason
            found.room = FileSystem.room(path)
        }
        keep(found, logger)
    }

    /// The directory, or the one above it where it is missing.
    private var standing: String? {
        var path = path.hasPrefix("/") ? path : "./" + path
        while !FileSystem.exists(path) {
            guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
            path = String(path[..<slash])
        }
        return path
    }

    private struct Found {
        var outcome: Rehearsal.Outcome?
        var volume: String?
        var room: FileSystem.Room?
        var problem: String?
        var isForeign = false
    }

    private func keep(_ found: Found, _ logger: Logger) {
        let room = found.outcome?.room ?? found.room
        let level: Level = room.map { $0.bytes < marks.critical ? .critical : $0.bytes < marks.low ? .low : .fine } ?? .fine
        if let room { meter.set(Int64(room.bytes)) }
        let before = state.withLock { state in
            let before = state
            state.began = nil
            state.isHangLogged = false
            state.room = room
            state.level = level
            state.problem = found.problem
            state.isForeign = found.isForeign
            state.device = found.outcome?.device ?? state.device
            state.volume = found.volume ?? state.volume
            return before
        }
        let facts: Logger.Metadata = ["directory": "\(path)"]
        if before.isHangLogged { logger.notice("a directory answers again", metadata: facts) }
        if let problem = found.problem, problem != before.problem {
            logger.error("a directory takes no recordings", metadata: facts.merging(["reason": "\(problem)"]) { one, _ in one })
        } else if found.problem == nil, before.problem != nil {
            logger.notice("a directory takes recordings again", metadata: facts)
        }
        guard level != before.level else { return }
        let free = facts.merging(["free": "\(room?.bytes ?? 0)"]) { one, _ in one }
        switch level {
        case .fine: logger.notice("a disk has room again", metadata: free)
        case .low: logger.warning("a disk is getting full", metadata: free)
        case .critical: logger.error("a disk is full", metadata: free)
        }
    }

    // MARK: - Calls that wait for the disk

    /// Runs a disk call on an executor and waits for it: as long as it takes, or until ``giveUp()``.
    /// - Parameter takesLong: true for a call whose time grows with a recording or the archive. It never counts as delayed.
    func run<Result: Sendable>(
        on executor: BlockingExecutor, takesLong: Bool = false, _ body: @escaping @Sendable () throws(RecordingError) -> Result
    ) async throws(RecordingError) -> Result {
        if let hang, state.withLock({ $0.isGivenUp }) { throw RecordingError(hang, underlying: ETIMEDOUT) }
        let result: Swift.Result<Result, RecordingError> = await withCheckedContinuation { continuation in
            let first = FirstAnswer(continuation)
            let number = state.withLock { state in
                state.nextWaiting += 1
                let giveUp: @Sendable () -> Void = { [path] in
                    first.give(.failure(RecordingError("\(path) does not answer", underlying: ETIMEDOUT)))
                }
                state.waiting[state.nextWaiting] = WaitingCall(takesLong: takesLong, giveUp: giveUp)
                return state.nextWaiting
            }
            // No child of ours: what hangs can be neither cancelled nor awaited. It ends with its disk, or with the process.
            Task(executorPreference: executor) { [self] in
                do throws(RecordingError) { first.give(.success(try body())) } catch { first.give(.failure(error)) }
                state.withLock { _ = $0.waiting.removeValue(forKey: number) }
            }
        }
        return try result.get()
    }

    /// Gives up all calls that wait in ``run(on:_:)``, and further ones as long as the directory does not answer: the program ends.
    func giveUp() {
        let waiting = state.withLock { state in
            state.isGivenUp = true
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for call in waiting { call.giveUp() }
    }

    // MARK: - Reading for clients

    /// Runs a disk call on the threads for readers and waits for its result. Throws at once while the directory does not answer, and soon
    /// after that has become known or ``readLimit`` has passed, with `ETIMEDOUT`. The call then goes on by itself.
    func read<Result: Sendable>(_ body: @escaping @Sendable () throws(RecordingError) -> Result) async throws(RecordingError) -> Result {
        if let hang { throw RecordingError(hang, underlying: ETIMEDOUT) }
        let result: Swift.Result<Result, RecordingError> = await withCheckedContinuation { continuation in
            let first = FirstAnswer(continuation)
            let number = state.withLock { state in
                state.nextWaiting += 1
                state.reading[state.nextWaiting] = WaitingCall { [path] in
                    first.give(.failure(RecordingError("\(path) does not answer", underlying: ETIMEDOUT)))
                }
                return state.nextWaiting
            }
            // No child of ours: what hangs can be neither cancelled nor awaited. It ends with its disk, or with the process.
            Task(executorPreference: readers) { [self] in
                // Given up while it waited for a thread.
                guard state.withLock({ $0.reading[number] != nil }) else { return }
                do throws(RecordingError) { first.give(.success(try body())) } catch { first.give(.failure(error)) }
                state.withLock { _ = $0.reading.removeValue(forKey: number) }
            }
        }
        return try result.get()
    }

    /// Runs a disk call on the threads for readers. Does not wait for it.
    func readLater(_ body: @escaping @Sendable () -> Void) { Task(executorPreference: readers) { body() } }

    /// Gives up the reads that wait for nothing. The heartbeat calls this.
    func relieveReaders(now: ContinuousClock.Instant) {
        let isHung = hang != nil
        let hopeless = state.withLock { state in
            let hopeless = state.reading.filter { isHung || now - $0.value.since >= Self.readLimit }
            for number in hopeless.keys { state.reading[number] = nil }
            return hopeless.values.map(\.giveUp)
        }
        for giveUp in hopeless { giveUp() }
    }

    // MARK: - Which disk it is

    private var partial: String { "\(path)/\(RecordingStore.partialDirectoryName)" }

    /// The names that this and earlier programs gave the disk.
    private func volumes() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: partial)) ?? []
        return names.filter { $0.hasPrefix(Self.volumePrefix) }.sorted()
    }

    /// Gives the disk a name where it has none, so that it is known when it is unmounted and mounted again.
    private func nameVolume() -> String? {
        if let name = volumes().first { return name }
        try? FileSystem.makeDirectory("\(partial)/\(Self.volumePrefix)\(RecordingID())", mode: mode)
        return volumes().first
    }
}
