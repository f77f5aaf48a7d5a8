import Synchronization

/// Finishes interrupted calls, and keeps the index up to what stands on the disk, on threads of its own.
///
/// A disk that hangs holds up nothing but this.
final class ArchiveKeeper: Sendable {
    /// Time between two looks at the archive. A look costs one `stat` for each directory, and reads those that have changed.
    static let interval = Duration.seconds(2)
    /// Time between two tries to finish calls that wait, such as for a disk that is not mounted yet.
    static let retryInterval = Duration.seconds(60)
    /// The part of the time, one in so many, that looking may take.
    private static let share = 50

    private let thread = BlockingExecutor(name: "archive", isBackground: true)
    private let waiting = Mutex(0)

    /// Interrupted calls that wait, or of which something was left behind.
    var waitingCalls: Int { waiting.withLock { $0 } }

    /// Recovers what was interrupted, reads the archive, and looks at both again until the task is cancelled.
    /// - Parameter onRecovery: told of each recording that was published or changed.
    func run(
        _ index: RecordingIndex, _ recovery: Recovery, in home: StorageDirectory, onRecovery: @escaping @Sendable (Recording) -> Void
    ) async {
        var nextTry = ContinuousClock.now
        while !Task.isCancelled {
            let begin = ContinuousClock.now
            let recovers = begin >= nextTry
            let isDecided = try? await home.run(on: thread) { [self] () throws(RecordingError) in
                var isDecided = true
                if recovers {
                    let findings = recovery.run {
                        index.add($0)
                        onRecovery($0)
                    }
                    waiting.withLock { $0 = findings.count { !$0.problems.isEmpty } }
                    // Whether another server still runs, which shares the directory, is known after a while.
                    isDecided = recovery.leases.map { !$0.isWaiting } ?? true
                    recovery.leases?.releaseClaims()
                }
                index.scan(home.path)
                return isDecided
            }
            if recovers { nextTry = begin + (isDecided ?? true ? Self.retryInterval : Lease.interval) }
            try? await Task.sleep(for: max(Self.interval, (.now - begin) * Self.share))
        }
    }
}
