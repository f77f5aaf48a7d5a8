import CallreelCore
import Synchronization

/// Tracks the running operations of a sink and their start times. If an operation never returns,
/// the check ends instead of waiting for ever.
final class Watch: Sendable {
    /// The watch of the check that this task belongs to.
    @TaskLocal static var current: Watch?

    private struct State {
        var count = 0
        var running: [Int: (verb: Verb, since: SuspendingClock.Instant)] = [:]
    }

    private let state = Mutex(State())

    /// Notes the start of an operation. Call ``Run/end()`` on the result when the operation has returned.
    static func begin(_ verb: Verb) -> Run {
        guard let watch = current else { return Run(watch: nil, number: 0) }
        return watch.state.withLock { state in
            state.count += 1
            state.running[state.count] = (verb, .now)
            return Run(watch: watch, number: state.count)
        }
    }

    /// A running operation.
    struct Run: Sendable {
        fileprivate let watch: Watch?
        fileprivate let number: Int

        /// Notes that the operation has returned.
        func end() { watch?.state.withLock { _ = $0.running.removeValue(forKey: number) } }
    }

    /// Runs a check on threads that may block. Returns when the check has ended, or when one operation of the
    /// sink takes longer than `patience`.
    static func run<Value: Sendable>(
        on threads: BlockingExecutor, patience: Duration,
        _ check: @escaping @Sendable () async -> Result<Value, SinkContractError>
    ) async -> Result<Value, SinkContractError> {
        let watch = Watch()
        let (results, continuation) = AsyncStream<Result<Value, SinkContractError>>.makeStream()
        // Deliberately not a child task: a sink that blocks for ever can be neither cancelled
        // nor awaited. It keeps its thread.
        Task(executorPreference: threads) {
            continuation.yield(await $current.withValue(watch) { await check() })
        }
        return await withTaskGroup { group in
            group.addTask {
                for await result in results { return result }
                return .failure(SinkContractError(cannotCheck: "the check was cancelled"))
            }
            group.addTask {
                guard let verb = await watch.hangingVerb(patience) else {
                    return .failure(SinkContractError(cannotCheck: "the check was cancelled"))
                }
                return .failure(SinkContractError(hanging: verb, patience))
            }
            defer { group.cancelAll() }
            return await group.next()!
        }
    }

    /// Waits until an operation takes longer than `patience`, and returns it.
    /// Returns nil if the task is cancelled first.
    private func hangingVerb(_ patience: Duration) async -> Verb? {
        while !Task.isCancelled {
            let oldest = state.withLock { $0.running.values.min { $0.since < $1.since } }
            let end = (oldest?.since ?? .now) + patience
            if let oldest, end <= .now { return oldest.verb }
            try? await Task.sleep(until: end, clock: .suspending)
        }
        return nil
    }
}
