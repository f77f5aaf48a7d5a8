import CallreelCore
import Synchronization

/// Resumes a task with the first of several answers.
final class FirstAnswer<Answer: Sendable>: Sendable {
    private let waiting: Mutex<CheckedContinuation<Answer, Never>?>

    init(_ continuation: CheckedContinuation<Answer, Never>) { waiting = Mutex(continuation) }

    /// Gives an answer. Ignores all answers after the first.
    func give(_ answer: Answer) {
        waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }?.resume(returning: answer)
    }
}

extension BlockingExecutor {
    /// Runs code that may hang, and returns its result. Returns nil if the code takes longer than the limit.
    /// The code then continues.
    func answer<Result: Sendable>(within limit: Duration, _ body: @escaping @Sendable () -> Result) async -> Result? {
        await withCheckedContinuation { continuation in
            let first = FirstAnswer<Result?>(continuation)
            Task(executorPreference: self) { first.give(body()) }
            Task {
                try? await Task.sleep(for: limit)
                first.give(nil)
            }
        }
    }
}
