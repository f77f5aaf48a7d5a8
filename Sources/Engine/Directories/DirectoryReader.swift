package import CallreelCore
import Foundation

/// Reads files of one directory for clients of the server, on a few threads of that directory.
///
/// A directory that does not answer delays no file of another directory, and no recording waits for these threads.
package struct DirectoryReader: Sendable {
    /// Number of threads for each directory.
    static let threads = 4
    /// Time limit for a single read, even while rehearsals succeed.
    private static let limit = Duration.seconds(30)

    private let directory: StorageDirectory

    /// Makes a reader of a directory.
    init(_ directory: StorageDirectory) { self.directory = directory }

    /// Runs a disk call and returns its result.
    ///
    /// Throws `ETIMEDOUT` at once if the directory hangs. Throws it at the next heartbeat when a hang becomes known or
    /// the time limit has passed. A disk call that has begun then continues.
    package func read<Result: Sendable>(_ body: @escaping @Sendable () throws(DiskError) -> Result)
        async throws(DiskError) -> Result
    {
        if let hang = directory.hang { throw DiskError(hang, underlying: ETIMEDOUT) }
        return try await directory.reads.run(on: directory.readers, body)
    }

    /// Runs a disk call without waiting for it.
    package func later(_ body: @escaping @Sendable () -> Void) {
        Task(executorPreference: directory.readers) { body() }
    }

    /// Gives up reads if the directory hangs or their time limit has passed. The heartbeat calls this.
    func relieve(now: ContinuousClock.Instant) {
        directory.reads.giveUp(before: directory.hang == nil ? now - Self.limit : now)
    }
}
