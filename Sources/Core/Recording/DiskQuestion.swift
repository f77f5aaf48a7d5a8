import Foundation

/// A question to a disk that may never answer, asked on a thread of its own.
///
/// What hangs can be neither cancelled nor joined: its thread ends with its disk, or with the process.
// Unchecked: the answer is read and written only while `condition` is locked.
package final class DiskQuestion<Answer: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var answer: Answer?

    /// Asks. Does not wait.
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

    /// Whether the answer is there.
    var isAnswered: Bool { answer(by: .now) != nil }

    /// Returns the answer, or nil where there is none by a time. Blocks until then.
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
