import CallreelCore
import Synchronization

/// Knows which verbs of a sink are at work, and since when, so that one that never returns ends the check and not the patience of whoever
/// waits for it.
final class Watch: Sendable {
    /// The watch of the check that this task belongs to.
    @TaskLocal static var current: Watch?

    private struct State {
        var count = 0
        var running: [Int: (verb: Verb, since: SuspendingClock.Instant)] = [:]
    }

    private let state = Mutex(State())

    /// A verb begins. Call ``Run/end()`` on the result when it has returned.
    static func begin(_ verb: Verb) -> Run {
        guard let watch = current else { return Run(watch: nil, number: 0) }
        return watch.state.withLock { state in
            state.count += 1
            state.running[state.count] = (verb, .now)
            return Run(watch: watch, number: state.count)
        }
    }

    /// A verb at work.
    struct Run: Sendable {
        fileprivate let watch: Watch?
        fileprivate let number: Int

        /// It has returned.
        func end() { watch?.state.withLock { _ = $0.running.removeValue(forKey: number) } }
    }

    /// Runs a check on threads that may block, until it has ended or one of the sink's verbs takes longer than that.
    static func run<Value: Sendable>(
        on threads: BlockingExecutor, patience: Duration, _ check: @escaping @Sendable () async -> Result<Value, SinkContractError>
    ) async -> Result<Value, SinkContractError> {
        let watch = Watch()
        let (results, continuation) = AsyncStream<Result<Value, SinkContractError>>.makeStream()
        // Not a child task on purpose: a sink that blocks for ever can be neither cancelled nor awaited. It keeps its thread.
        Task(executorPreference: threads) {
            continuation.yield(await $current.withValue(watch) { await check() })
        }
        return await withTaskGroup { group in
            group.addTask {
                for await result in results { return result }
                return .failure(SinkContractError(cannotCheck: "it was cancelled"))
            }
            group.addTask {
                guard let verb = await watch.hangingVerb(patience) else { return .failure(SinkContractError(cannotCheck: "it was cancelled")) }
                return .failure(SinkContractError(hanging: verb, patience))
            }
            defer { group.cancelAll() }
            return await group.next()!
        }
    }

    /// Waits for a verb that takes longer than that; nil when its task was cancelled before there was one.
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
