import CallreelCore
import Synchronization

/// Recovers interrupted calls, and keeps the index of recordings in line with the disk, on threads of its own.
///
/// A hanging disk therefore delays no other work. Recovery and indexing do not wait for each other.
final class ArchiveKeeper: Sendable {
    /// Shortest time between two scans of the archive. A scan costs one `stat` for each directory,
    /// and reads the changed ones.
    static let interval = Duration.seconds(2)
    /// Time between two attempts to recover waiting calls, for example when a disk is not mounted yet.
    static let retryInterval = Duration.seconds(60)
    /// Ratio of the pause after a scan to the scan's duration. It limits scans to about 2 % of the time.
    private static let share = 50

    private let recoverer = BlockingExecutor(name: "recovery", threads: 1, isBackground: true)
    private let reader = BlockingExecutor(name: "archive", threads: 1, isBackground: true)
    private let waiting = Mutex(0)
    private let isEnding = Mutex(false)

    /// Number of interrupted calls that wait or have left files behind.
    var waitingCalls: Int { waiting.withLock { $0 } }

    /// Recovers interrupted calls and scans the archive, repeatedly, until the task is cancelled.
    /// - Parameters:
    ///   - onFound: called with each recording that a scan reads for the first time.
    ///   - onRecovery: called with each recording that recovery has published or changed.
    func run(
        _ catalogue: any Catalogue, _ recovery: Recovery, in home: StorageDirectory,
        onFound: @escaping @Sendable (Recording) -> Void,
        onRecovery: @escaping @Sendable (Recording) -> Void
    ) async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.read(catalogue, in: home, onFound: onFound) }
                group.addTask {
                    await self.recover(recovery, in: home) {
                        catalogue.add($0)
                        onRecovery($0)
                    }
                }
            }
        } onCancel: {
            isEnding.withLock { $0 = true }
        }
    }

    /// Scans the archive for changes until the task is cancelled.
    private func read(
        _ catalogue: any Catalogue, in home: StorageDirectory, onFound: @escaping @Sendable (Recording) -> Void
    ) async {
        while !Task.isCancelled {
            let begin = Clocks.current.now
            try? await home.run(on: reader, takesLong: true) { () throws(DiskError) in
                catalogue.scan(home.path, onFound: onFound)
            }
            try? await Task.sleep(for: max(Self.interval, (Clocks.current.now - begin) * Self.share))
        }
    }

    /// Recovers interrupted calls, and retries the waiting ones, until the task is cancelled.
    private func recover(
        _ recovery: Recovery, in home: StorageDirectory, onRecovery: @escaping @Sendable (Recording) -> Void
    ) async {
        while !Task.isCancelled {
            let begin = Clocks.current.now
            let isDecided = try? await home.run(on: recoverer, takesLong: true) { [self] () throws(DiskError) in
                let findings = recovery.run(isEnding: { isEnding.withLock { $0 } }, onRecovery: onRecovery)
                waiting.withLock { $0 = findings.count { !$0.problems.isEmpty } }
                // It takes a while to decide if another server with the same directory still runs.
                let isDecided = recovery.leases.map { !$0.isWaiting } ?? true
                recovery.leases?.releaseClaims(keepsClaimed: recovery.isHeldUp)
                recovery.leases?.removeLeftovers()
                return isDecided
            }
            let pause = isDecided ?? true ? Self.retryInterval : Lease.interval, end = Clocks.current.now
            // Recovery takes at most half of the time, even if many calls wait.
            try? await Task.sleep(for: max(begin + pause - end, end - begin, Self.interval))
        }
    }
}
