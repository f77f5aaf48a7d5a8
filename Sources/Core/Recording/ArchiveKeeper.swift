import Synchronization

/// Finishes interrupted calls, and keeps the index up to what stands on the disk, on threads of its own.
///
/// A disk that hangs holds up nothing but this. Neither of the two waits for the other.
final class ArchiveKeeper: Sendable {
    /// Time between two looks at the archive. A look costs one `stat` for each directory, and reads those that have changed.
    static let interval = Duration.seconds(2)
    /// Time between two tries to finish calls that wait, such as for a disk that is not mounted yet.
    static let retryInterval = Duration.seconds(60)
    /// The part of the time, one in so many, that looking may take.
    private static let share = 50

    private let recoverer = BlockingExecutor(name: "recovery", threads: 1, isBackground: true)
    private let reader = BlockingExecutor(name: "archive", threads: 1, isBackground: true)
    private let waiting = Mutex(0)
    private let isEnding = Mutex(false)

    /// Interrupted calls that wait, or of which something was left behind.
    var waitingCalls: Int { waiting.withLock { $0 } }

    /// Recovers what was interrupted, reads the archive, and looks at both again until the task is cancelled.
    /// - Parameter onRecovery: told of each recording that was published or changed.
    func run(
        _ index: RecordingIndex, _ recovery: Recovery, in home: StorageDirectory, onRecovery: @escaping @Sendable (Recording) -> Void
    ) async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.read(index, in: home) }
                group.addTask {
                    await self.recover(recovery, in: home) {
                        index.add($0)
                        onRecovery($0)
                    }
                }
            }
        } onCancel: {
            isEnding.withLock { $0 = true }
        }
    }

    /// Reads what is new in the archive until the task is cancelled.
    private func read(_ index: RecordingIndex, in home: StorageDirectory) async {
        while !Task.isCancelled {
            let begin = ContinuousClock.now
            try? await home.run(on: reader, takesLong: true) { () throws(RecordingError) in index.scan(home.path) }
            try? await Task.sleep(for: max(Self.interval, (.now - begin) * Self.share))
        }
    }

    /// Recovers what was interrupted, and tries again what has to wait, until the task is cancelled.
    private func recover(_ recovery: Recovery, in home: StorageDirectory, onRecovery: @escaping @Sendable (Recording) -> Void) async {
        while !Task.isCancelled {
            let begin = ContinuousClock.now
            let isDecided = try? await home.run(on: recoverer, takesLong: true) { [self] () throws(RecordingError) in
                let findings = recovery.run(isEnding: { isEnding.withLock { $0 } }, onRecovery: onRecovery)
                waiting.withLock { $0 = findings.count { !$0.problems.isEmpty } }
                // Whether another server still runs, which shares the directory, is known after a while.
                let isDecided = recovery.leases.map { !$0.isWaiting } ?? true
                recovery.leases?.releaseClaims(keepsClaimed: recovery.isHeldUp)
                return isDecided
            }
            let pause = isDecided ?? true ? Self.retryInterval : Lease.interval, end = ContinuousClock.now
            // At most half of the time, also where many calls wait.
            try? await Task.sleep(for: max(begin + pause - end, end - begin, Self.interval))
        }
    }
}
