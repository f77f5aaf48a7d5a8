import Foundation
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Says to the other servers and hosts that share a recordings directory that this program runs.
///
/// A lease is a file `.partial/server-<id>` that its program changes every few seconds. Locks of files are often not seen between
/// hosts; a changed file is. The manifests of running calls name the lease of their program.
package final class Lease: Sendable {
    /// Time between two renewals.
    static let interval = Duration.seconds(5)
    /// Time after which a lease that was not renewed is over.
    static let limit = Duration.seconds(20)

    /// What stands before the identifier in the name of a lease's file.
    static let prefix = "server-"

    /// The content of a lease's file.
    struct Record: Codable, Sendable {
        let id: String
        /// The host's name, for people.
        let host: String
        /// The boot of the host's kernel; nil where the system does not tell.
        let boot: String?
        /// Changes with each renewal.
        var beat: Int
    }

    private struct State {
        var record: Record
        var hasBegun = false
        var locksAreReal = false
        var isRenewing = false
    }

    /// The identifier.
    let id = RecordingID().description
    private let directory: String
    private let state: Mutex<State>
    private let thread = BlockingExecutor(name: "lease", threads: 1, threadLimit: 1)

    /// Describes the lease of this program in a directory of unfinished recordings.
    package init(directory: String) {
        self.directory = directory
        state = Mutex(State(record: Record(id: id, host: ProcessInfo.processInfo.hostName, boot: Self.boot, beat: 0)))
    }

    /// The boot of this host's kernel; nil where it does not say, as without `/proc`.
    static let boot: String? = (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))
        .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }

    /// The identifier once the lease has begun.
    var current: String? { state.withLock { $0.hasBegun } ? id : nil }

    /// Whether a lock that one program holds keeps another one out, as far as one kernel can tell.
    var locksAreReal: Bool { state.withLock { $0.locksAreReal } }

    private var path: String { Self.path(id, in: directory) }

    static func path(_ id: String, in directory: String) -> String { "\(directory)/\(prefix)\(id)" }

    /// Begins the lease. No file stays open: the disk can be unmounted while no call runs. Blocks.
    package func begin() throws(RecordingError) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw RecordingError("cannot make \(path)", underlying: errno) }
        defer { close(descriptor) }
        let locksAreReal = flock(descriptor, LOCK_EX | LOCK_NB) == 0 && !Self.isFree(path)
        state.withLock { state in
            state.hasBegun = true
            state.locksAreReal = locksAreReal
        }
        try write()
    }

    /// Renews the lease. Returns false if it was over, because this program was thought to be dead; then it begins again. Blocks.
    func renew() throws(RecordingError) -> Bool {
        if current == nil { return true }
        guard FileSystem.exists(path) else {
            try begin()
            return false
        }
        try write()
        return true
    }

    /// Renews the lease on a thread of its own, unless a renewal still runs. Does not wait.
    func renewSoon(_ whenDone: @escaping @Sendable (Result<Bool, RecordingError>) -> Void) {
        let isBusy = state.withLock { state in
            if state.isRenewing || !state.hasBegun { return true }
            state.isRenewing = true
            return false
        }
        if isBusy { return }
        Task(executorPreference: thread) { [self] in
            let result: Result<Bool, RecordingError>
            do throws(RecordingError) { result = .success(try renew()) } catch { result = .failure(error) }
            state.withLock { $0.isRenewing = false }
            whenDone(result)
        }
    }

    /// Keeps the lease until the process ends, on a thread of its own: for a program that does nothing else meanwhile.
    package func keep() {
        let thread = Thread { [weak self] in
            while true {
                Thread.sleep(forTimeInterval: 5)
                guard let self else { return }
                _ = try? renew()
            }
        }
        thread.start()
    }

    /// Ends the lease: this program has no running call any more. Blocks.
    package func end() {
        let hadBegun = state.withLock { state in
            defer { state.hasBegun = false }
            return state.hasBegun
        }
        if hadBegun { FileSystem.removeName(path) }
    }

    /// Writes the next beat over the one before. A full disk does not stop it: the length stays the same.
    private func write() throws(RecordingError) {
        let record = state.withLock { state in
            state.record.beat += 1
            return state.record
        }
        let text = "{\"beat\": \(record.beat), \"boot\": \(Self.text(record.boot)), \"host\": \(Self.text(record.host)), \"id\": \"\(id)\"}"
        let data = Data((text.padding(toLength: max(text.count, 511), withPad: " ", startingAt: 0) + "\n").utf8)
        // Opened anew: where the directory is shared, closing a file is what shows it to other hosts.
        let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw RecordingError("cannot renew \(path)", underlying: errno) }
        let written = unsafe data.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        let failure = written == data.count ? nil : errno
        guard close(descriptor) == 0, failure == nil else { throw RecordingError("cannot renew \(path)", underlying: failure ?? errno) }
    }

    private static func text(_ value: String?) -> String { value.map { JSONValue.string($0).json() } ?? "null" }

    /// Whether the lock of a file can be taken.
    private static func isFree(_ path: String) -> Bool {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }
}
