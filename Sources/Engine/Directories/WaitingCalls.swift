import CallreelCore
import Foundation
import Synchronization

/// The disk calls that wait for one directory. Each can be given up.
///
/// A hanging disk call can be neither cancelled nor awaited. It ends with its disk or with the process.
/// So nobody waits for the call itself, but for its result or the end of the patience with it.
final class WaitingCalls: Sendable {
    private struct Call {
        let since = Clocks.current.now
        let takesLong: Bool
        let giveUp: @Sendable () -> Void
    }

    private struct State {
        var calls: [Int: Call] = [:]
        var last = 0
    }

    private let path: String
    private let state = Mutex(State())

    /// Makes an empty list for the directory with this path.
    init(path: String) { self.path = path }

    /// Start of the oldest call that waits, except of calls that take long; nil if none waits.
    var oldest: ContinuousClock.Instant? {
        state.withLock { $0.calls.values.filter { !$0.takesLong }.map(\.since).min() }
    }

    /// Runs a disk call on an executor and returns its result. Waits without a time limit, until the call is given up.
    /// - Parameter takesLong: true for a call whose time grows with a recording or the archive.
    /// - Throws: the call's error, or `ETIMEDOUT` after the call is given up. Without a thread by then, it never runs.
    func run<Result: Sendable>(
        on executor: BlockingExecutor, takesLong: Bool = false,
        _ body: @escaping @Sendable () throws(DiskError) -> Result
    ) async throws(DiskError) -> Result {
        let result: Swift.Result<Result, DiskError> = await withCheckedContinuation { continuation in
            let first = FirstAnswer(continuation)
            let number = state.withLock { state in
                state.last += 1
                state.calls[state.last] = Call(takesLong: takesLong) { [path] in
                    first.give(.failure(DiskError("\(path) does not answer", underlying: ETIMEDOUT)))
                }
                return state.last
            }
            // Not a child task, which would have to be awaited.
            Task(executorPreference: executor) { [self] in
                guard state.withLock({ $0.calls[number] != nil }) else { return }
                do throws(DiskError) { first.give(.success(try body())) } catch { first.give(.failure(error)) }
                state.withLock { _ = $0.calls.removeValue(forKey: number) }
            }
        }
        return try result.get()
    }

    /// Gives up the calls that began before a moment.
    func giveUp(before moment: ContinuousClock.Instant) {
        let hopeless = state.withLock { state in
            let hopeless = state.calls.filter { $0.value.since <= moment }
            for number in hopeless.keys { state.calls[number] = nil }
            return hopeless.values
        }
        for call in hopeless { call.giveUp() }
    }
}
