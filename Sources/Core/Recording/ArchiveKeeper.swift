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
    /// - Parameters:
    ///   - makeRecovery: called on a thread that may block.
    ///   - onRecovery: told of each recording that was published or changed.
    func run(
        _ index: RecordingIndex, _ directory: String, makeRecovery: @escaping @Sendable () -> Recovery,
        onRecovery: @escaping @Sendable (Recording) -> Void
    ) async {
        let recovery = await thread.run { makeRecovery() }
        var nextTry = ContinuousClock.now
        while !Task.isCancelled {
            let begin = ContinuousClock.now
            let recovers = begin >= nextTry
            if recovers { nextTry = begin + Self.retryInterval }
            await thread.run { [self] in
                if recovers {
                    let findings = recovery.run {
                        index.add($0)
                        onRecovery($0)
                    }
                    waiting.withLock { $0 = findings.count { !$0.problems.isEmpty } }
                }
                index.scan(directory)
            }
            try? await Task.sleep(for: max(Self.interval, (.now - begin) * Self.share))
        }
    }
}
