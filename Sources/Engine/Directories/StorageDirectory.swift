import CallreelCore
import CoreMetrics
import Foundation
import Logging
import Synchronization

/// A directory for recordings: the threads for its disk calls, and the result of its last rehearsal.
///
/// Each directory is rehearsed on a thread of its own, so a hanging directory does not delay the checks of the others.
final class StorageDirectory: Sendable {
    /// The free space on a disk, compared with the operator's marks.
    enum Level: Int, Comparable, Sendable {
        case fine, low, critical

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    /// The operator's rules for a directory.
    struct Rules: Sendable {
        /// A missing directory is not made.
        var mustExist = false
        /// The permission bits of directories made here.
        let mode: Int
        /// The limits of free space.
        let marks: SpaceMarks
    }

    /// The result of the last rehearsal, and the progress of the running one.
    private struct State {
        var room: FileSystem.Room?
        var level = Level.fine
        /// The reason why the directory takes no recordings; nil if it takes them.
        var problem: String?
        /// The directory must not be touched: it is missing, or another disk is in its place.
        var isForeign = false
        /// Start of the running rehearsal; nil if none runs.
        var began: ContinuousClock.Instant?
        /// Time limit for the present step of the rehearsal.
        var limit = Duration.zero
        /// Successful rehearsals since the last sync to stable storage.
        /// Nil before the first sync and after a failed one: the next rehearsal then syncs.
        var sinceSync: Int?
        /// Called before each rehearsal. Nil except in tests.
        var beforeLook: (@Sendable () -> Void)?
        /// Disk calls fail at once while the directory hangs, because the program is about to end.
        var isGivenUp = false
        /// The present hang has been logged.
        var isHangLogged = false
        /// Device number of the file system in the last successful rehearsal; nil before the first.
        var device: UInt64?
        /// Name of the disk, found or given in the first successful rehearsal.
        var volume: String?
    }

    /// Time limit for a rehearsal. After that, the directory counts as hanging.
    static let hangLimit = Duration.seconds(5)
    /// Time limit for a sync, and for a disk call of a recording.
    /// It is longer, because a busy disk is not a broken one.
    static let busyLimit = Duration.seconds(30)
    /// Number of rehearsals for each sync to stable storage: about one sync a minute.
    private static let syncInterval = 12
    /// Number of free inodes below which the operator is warned.
    static let lowFiles = 1000
    /// Prefix of the disk's name. An empty directory of that name in `.partial` tells the disk from another one mounted
    /// in its place.
    static let volumePrefix = "volume-"

    /// The directory, without a slash at its end.
    let path: String
    /// Threads for disk calls there.
    let threads: BlockingExecutor
    /// Threads of ``DirectoryReader``, and the calls that wait there.
    let readers = BlockingExecutor(name: "read", threads: DirectoryReader.threads, threadLimit: DirectoryReader.threads)
    let reads: WaitingCalls
    private let calls: WaitingCalls
    private let rules: Rules
    private let hangLimit: Duration
    private let busyLimit: Duration
    private let meter: Meter
    private let clocks = Clocks.current
    private let rehearsals: BlockingExecutor
    private let probe = Rehearsal.prefix + RecordingID().description
    private let state = Mutex(State())

    /// Describes a directory. Touches no disk; ``rehearse(_:)`` does.
    /// - Parameter meter: shows the free bytes of the directory's disk.
    init(
        _ path: String, _ rules: Rules, freeBytes meter: Meter, hangLimit: Duration = StorageDirectory.hangLimit,
        busyLimit: Duration = StorageDirectory.busyLimit
    ) {
        self.path = path
        self.rules = rules
        self.hangLimit = hangLimit
        self.busyLimit = busyLimit
        self.meter = meter
        threads = BlockingExecutor(name: "disk")
        calls = WaitingCalls(path: path)
        reads = WaitingCalls(path: path)
        rehearsals = BlockingExecutor(name: "rehearsal", threads: 1, threadLimit: 1)
    }

    /// A rehearsal has succeeded. From then on, sinks do not create the directory if it is missing.
    var isKnown: Bool { state.withLock { $0.device != nil } }

    /// The highest directory that must exist before a sink creates its own. Callreel never creates it, because if it is
    /// missing, its disk is not mounted. Nil if everything may be created: nothing was ever recorded here.
    var root: String? { isKnown ? partial : rules.mustExist ? path : nil }

    /// The level of free space.
    var level: Level { state.withLock { $0.level } }

    /// A message for the operator that the directory hangs; nil if it does not.
    var hang: String? {
        let (began, limit) = state.withLock { ($0.began, $0.limit) }
        guard let began else { return nil }
        let waited = clocks.now - began
        return waited < limit ? nil : "\(path) has not answered for \(waited.components.seconds) seconds"
    }

    /// Callreel must not wait here: the directory hangs, or a recording has waited too long for a disk call.
    var isStuck: Bool { hang != nil || delay != nil }

    /// A message for the operator that a recording has waited at least ``busyLimit`` for the disk; nil if none has.
    var delay: String? {
        guard let since = calls.oldest, clocks.now - since >= busyLimit else { return nil }
        return "a recording has waited for \(path) for \((clocks.now - since).components.seconds) seconds"
    }

    /// The reason why the directory takes no recordings, in words; nil if it takes them.
    var problem: String? { hang ?? state.withLock { $0.problem } }

    /// The reason why the directory must not be touched; nil if it may be.
    /// It hangs, is missing, or another disk is in its place.
    var refusal: String? { hang ?? state.withLock { $0.isForeign ? $0.problem : nil } }

    /// A message for the operator about little free space or few free inodes; nil if there is enough.
    var shortage: String? {
        let (room, level) = state.withLock { ($0.room, $0.level) }
        guard let room else { return nil }
        if level > .fine { return "only \(room.bytes / 1_000_000) MB are free under \(path)" }
        if let files = room.files, files < Self.lowFiles {
            return "only \(files) more files can be created under \(path)"
        }
        return nil
    }

    /// Starts a rehearsal unless one is still running. Logs a new hang. Does not wait.
    func rehearse(_ logger: Logger) {
        let isHangNew = state.withLock { state -> Bool? in
            guard let began = state.began else {
                state.began = clocks.now
                state.limit = hangLimit
                return nil
            }
            defer { state.isHangLogged = state.isHangLogged || clocks.now - began >= state.limit }
            return clocks.now - began >= state.limit && !state.isHangLogged
        }
        if let isHangNew {
            if isHangNew { logger.error("directory does not answer", metadata: ["directory": "\(path)"]) }
            return
        }
        // Not a child task: a hanging disk call can be neither cancelled nor awaited.
        // It ends with its disk or with the process.
        Task(executorPreference: rehearsals) { [self] in look(logger) }
    }

    /// Sets an action to run before each rehearsal. For tests.
    func beforeLook(_ action: @escaping @Sendable () -> Void) { state.withLock { $0.beforeLook = action } }

    /// Runs a rehearsal on the calling thread, and stores the result. Blocks.
    func look(_ logger: Logger) {
        let (device, volume, beforeLook) = state.withLock { ($0.device, $0.volume, $0.beforeLook) }
        beforeLook?()
        var found = Found()
        do throws(DiskError) {
            // If the directory is missing, the one above it is compared:
            // Callreel makes nothing below a mount point without its disk.
            if let device, let now = standing.flatMap(FileSystem.device), now != device,
                !volumes().contains(where: { $0 == volume })
            {
                found.isForeign = true
                throw DiskError("\(path) is on another file system than before; was its disk unmounted?")
            }
            if device == nil { Rehearsal.removeLeftovers(in: path) }
            let rehearsal = Rehearsal(
                root: path, mode: rules.mode, name: probe, mayMake: !rules.mustExist, isFirst: device == nil)
            found.outcome = try rehearsal.run()
            found.volume = volume ?? nameVolume()
            let isSyncDue = state.withLock { state in
                if let count = state.sinceSync, count + 1 < Self.syncInterval {
                    state.sinceSync = count + 1
                    return false
                }
                state.sinceSync = nil
                if state.began != nil { (state.began, state.limit) = (clocks.now, busyLimit) }
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

    /// The directory, or its nearest existing parent if it is missing.
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
        let level: Level =
            room.map { $0.bytes < rules.marks.critical ? .critical : $0.bytes < rules.marks.low ? .low : .fine }
            ?? .fine
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
        if before.isHangLogged { logger.notice("directory answers again", metadata: facts) }
        if let problem = found.problem, problem != before.problem {
            logger.error(
                "cannot record in a directory", metadata: facts.merging(["reason": "\(problem)"]) { one, _ in one })
        } else if found.problem == nil, before.problem != nil {
            logger.notice("can record in a directory again", metadata: facts)
        }
        guard level != before.level else { return }
        let free = facts.merging(["free": "\(room?.bytes ?? 0)"]) { one, _ in one }
        switch level {
        case .fine: logger.notice("disk has free space again", metadata: free)
        case .low: logger.warning("disk space is low", metadata: free)
        case .critical: logger.error("disk is full", metadata: free)
        }
    }

    // MARK: - Calls that wait for the disk

    /// Runs a disk call on an executor and returns its result.
    /// Waits without a time limit, until ``giveUp()`` is called.
    /// - Parameter takesLong: true for a call whose time grows with recording or archive. It never counts as delayed.
    /// - Throws: the call's error, or `ETIMEDOUT` after ``giveUp()``.
    func run<Result: Sendable>(
        on executor: BlockingExecutor, takesLong: Bool = false,
        _ body: @escaping @Sendable () throws(DiskError) -> Result
    ) async throws(DiskError) -> Result {
        if let hang, state.withLock({ $0.isGivenUp }) { throw DiskError(hang, underlying: ETIMEDOUT) }
        return try await calls.run(on: executor, takesLong: takesLong, body)
    }

    /// Ends the wait of all disk calls in ``run(on:takesLong:_:)``, because the program is about to end.
    /// Later calls fail at once while the directory hangs.
    func giveUp() {
        state.withLock { $0.isGivenUp = true }
        calls.giveUp(before: clocks.now)
    }

    // MARK: - Identity of the disk

    private var partial: String { "\(path)/\(RecordingLayout.partialDirectoryName)" }

    /// Returns the names given to the disk by this and earlier programs.
    private func volumes() -> [String] {
        let names = FileSystem.names(in: partial)
        return names.filter { $0.hasPrefix(Self.volumePrefix) }.sorted()
    }

    /// Returns the disk's name. Gives the disk one if it has none, so that Callreel recognizes the disk after a
    /// remount.
    private func nameVolume() -> String? {
        if let name = volumes().first { return name }
        try? FileSystem.makeDirectory("\(partial)/\(Self.volumePrefix)\(RecordingID())", mode: rules.mode)
        return volumes().first
    }
}
