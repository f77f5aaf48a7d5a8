package import CallreelCore
import Foundation
import Synchronization

/// Shows the other servers and hosts of a shared recordings directory that this program is running.
///
/// A lease is a file `.partial/server-<id>`. Its program changes the file every 5 seconds. Other hosts often do not see
/// file locks, but they do see a changed file. The manifests of running calls name the lease of their program.
package final class Lease: Sendable {
    /// Time between two renewals.
    static let interval = Duration.seconds(5)
    /// Time without a renewal after which a lease has expired.
    static let limit = Duration.seconds(20)

    /// Prefix of a lease's file name. The lease's identifier follows.
    static let prefix = "server-"

    /// The content of a lease's file.
    struct Record: Codable, Sendable {
        let id: String
        /// The host's name, for people to read.
        let host: String
        /// Identifier of the boot of the host's kernel; nil if the system gives none.
        let boot: String?
        /// Counter, increased with each renewal.
        var beat: Int
    }

    private struct State {
        var record: Record
        var hasBegun = false
        var locksAreReal = false
        var isRenewing = false
    }

    /// The lease's identifier.
    let id = RecordingID().description
    private let directory: String
    private let state: Mutex<State>
    private let thread = BlockingExecutor(name: "lease", threads: 1, threadLimit: 1)

    /// Prepares this program's lease in a directory of unfinished recordings. Writes nothing yet.
    package init(directory: String) {
        self.directory = directory
        state = Mutex(State(record: Record(id: id, host: ProcessInfo.processInfo.hostName, boot: Self.boot, beat: 0)))
    }

    /// Identifier of the boot of this host's kernel; nil if the system gives none, as without `/proc`.
    static var boot: String? { FileSystem.disk.boot }

    /// The identifier while the lease runs; nil before ``begin()`` and after ``end()``.
    var current: String? { state.withLock { $0.hasBegun } ? id : nil }

    /// True when the lock of one program excludes another program, as far as one kernel can tell.
    /// ``begin()`` tests this.
    var locksAreReal: Bool { state.withLock { $0.locksAreReal } }

    private var path: String { Self.path(id, in: directory) }

    static func path(_ id: String, in directory: String) -> String { "\(directory)/\(prefix)\(id)" }

    /// Begins the lease. Blocks. Keeps no file open, so that the disk can be unmounted while no call runs.
    package func begin() throws(DiskError) {
        let file: any DiskFile
        do throws(ErrorNumber) {
            file = try FileSystem.disk.open(path, FileOpening(.createIfMissing(mode: 0o644)))
        } catch {
            throw DiskError("cannot create \(path)", underlying: error.value)
        }
        let locksAreReal = (try? file.lock()) == .taken && !Self.isFree(path)
        try? file.close()
        state.withLock { state in
            state.hasBegun = true
            state.locksAreReal = locksAreReal
        }
        try write()
    }

    /// Renews the lease. Blocks. Does nothing if the lease has not begun.
    /// - Returns: false if the lease's file was gone because another program took this one for dead.
    ///   The lease then begins again.
    func renew() throws(DiskError) -> Bool {
        if current == nil { return true }
        guard FileSystem.exists(path) else {
            try begin()
            return false
        }
        try write()
        return true
    }

    /// Starts a renewal on a thread of its own, and returns at once.
    /// Does nothing if the lease has not begun or a renewal is still running.
    func renewSoon(_ whenDone: @escaping @Sendable (Result<Bool, DiskError>) -> Void) {
        let isBusy = state.withLock { state in
            if state.isRenewing || !state.hasBegun { return true }
            state.isRenewing = true
            return false
        }
        if isBusy { return }
        Task(executorPreference: thread) { [self] in
            let result: Result<Bool, DiskError>
            do throws(DiskError) { result = .success(try renew()) } catch { result = .failure(error) }
            state.withLock { $0.isRenewing = false }
            whenDone(result)
        }
    }

    /// Renews the lease every 5 seconds, on a thread of its own, until the process ends or the lease is released.
    /// For programs without a recorder.
    package func keep() {
        let thread = DiskThread.make { [weak self] in
            while true {
                Thread.sleep(forTimeInterval: 5)
                guard let self else { return }
                _ = try? renew()
            }
        }
        thread.start()
    }

    /// Ends the lease by removing its file, once this program has no running call. Blocks.
    package func end() {
        let hadBegun = state.withLock { state in
            defer { state.hasBegun = false }
            return state.hasBegun
        }
        if hadBegun { FileSystem.removeName(path) }
    }

    /// Writes the next beat over the last one. The length stays the same, so a full disk does not stop a renewal.
    private func write() throws(DiskError) {
        let record = state.withLock { state in
            state.record.beat += 1
            return state.record
        }
        let text =
            "{\"beat\": \(record.beat), \"boot\": \(Self.text(record.boot)), "
            + "\"host\": \(Self.text(record.host)), \"id\": \"\(id)\"}"
        let data = Data((text.padding(toLength: max(text.count, 511), withPad: " ", startingAt: 0) + "\n").utf8)
        // Opened for each renewal: on a shared disk, closing the file shows the change to other hosts.
        do throws(ErrorNumber) {
            let file = try FileSystem.disk.open(path, FileOpening(.write))
            let written = try file.write(data.bytes, at: 0)
            try file.close()
            guard written == data.count else { throw ErrorNumber(EIO) }
        } catch {
            throw DiskError("cannot renew \(path)", underlying: error.value)
        }
    }

    private static func text(_ value: String?) -> String { value.map { JSONValue.string($0).json() } ?? "null" }

    /// True when a file's lock can be taken, or when the file cannot be opened.
    private static func isFree(_ path: String) -> Bool {
        guard let file = try? FileSystem.open(path, FileOpening(.read)) else { return true }
        return (try? file.lock()) == .taken
    }
}
