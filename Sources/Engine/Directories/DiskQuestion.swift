import CallreelCore
import Foundation

/// The result of a disk call, handed from the thread that runs the call to the threads that wait for it.
// Unchecked: both variables are read and written only while `condition` is locked.
final class DiskAnswer<Value: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var value: Value?
    private var isAbandoned = false

    /// Stores the result. Returns false if nobody takes it any more: a waiter has abandoned the call.
    @discardableResult
    func give(_ value: Value) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        self.value = value
        condition.broadcast()
        return !isAbandoned
    }

    /// Waits for the result. Returns nil after the deadline, or as soon as `isHopeless` returns true. Blocks.
    /// - Parameter abandons: true to abandon the call if there is no result.
    func wait(until deadline: ContinuousClock.Instant, abandons: Bool = false, isHopeless: () -> Bool = { false })
        -> Value?
    {
        let clocks = Clocks.current
        condition.lock()
        defer { condition.unlock() }
        while value == nil {
            let rest = deadline - clocks.now
            if rest <= .zero || isHopeless() {
                isAbandoned = isAbandoned || abandons
                return nil
            }
            _ = condition.wait(until: Date(timeIntervalSinceNow: min(rest / .seconds(1), 0.1)))
        }
        return value
    }
}

/// A disk call that may never return, on a thread of its own.
///
/// A hanging disk call can be neither cancelled nor joined. Its thread ends with the disk or with the process.
package struct DiskQuestion<Answer: Sendable>: Sendable {
    private let result = DiskAnswer<Answer>()

    /// Starts the call. Does not wait.
    package init(_ ask: @escaping @Sendable () -> Answer) {
        DiskThread.make { [result] in result.give(ask()) }.start()
    }

    /// The call has returned.
    var isAnswered: Bool { answer(by: Clocks.current.now) != nil }

    /// Returns the call's answer, or nil if there is none by the deadline. Blocks until then.
    package func answer(by deadline: ContinuousClock.Instant) -> Answer? { result.wait(until: deadline) }
}
