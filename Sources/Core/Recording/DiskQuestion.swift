import Foundation

/// A disk call that may never return, on a thread of its own.
///
/// A hanging disk call can be neither cancelled nor joined. Its thread ends with the disk or with the process.
// Unchecked: the answer is read and written only while `condition` is locked.
package final class DiskQuestion<Answer: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var answer: Answer?

    /// Starts the call. Does not wait.
    package init(_ ask: @escaping @Sendable () -> Answer) {
        Thread { [self] in
            let found = ask()
            condition.lock()
            answer = found
            condition.broadcast()
            condition.unlock()
        }
        .start()
    }

    /// The call has returned.
    var isAnswered: Bool { answer(by: .now) != nil }

    /// Returns the call's answer, or nil if there is none by the deadline. Blocks until then.
    package func answer(by deadline: ContinuousClock.Instant) -> Answer? {
        condition.lock()
        defer { condition.unlock() }
        while answer == nil {
            let rest = deadline - .now
            guard rest > .zero else { return nil }
            _ = condition.wait(until: Date(timeIntervalSinceNow: min(rest / .seconds(1), 1)))
        }
        return answer
    }
}
