import CallreelCore
import CoreMetrics
import Synchronization

/// A delivery entry of the configuration at work: its queue, its threads and its metrics.
final class DeliveryStation: Sendable {
    struct State {
        var queue = DeliveryQueue()
        /// The attempts under way.
        var running: [RecordingID: Task<Void, Never>] = [:]
        /// Failed attempts since the last success.
        var failures = 0
        /// No attempt begins before this time, because the destination seems to be down.
        var pause: ContinuousClock.Instant?
        /// The reason why the last attempt failed; nil after a success.
        var problem: String?
    }

    /// Failed attempts in a row after which the destination counts as down, so that not every recording tries it.
    private static let patience = 3
    /// The longest pause between two attempts while the destination is down, in seconds.
    private static let longestPause = 30.0

    /// The longest wait that a destination may ask for, in seconds: a day.
    private static let longestWait = 86400

    let ready: ReadyDelivery
    /// Threads for this entry alone, so that a blocked destination does not hold up others.
    let executor: BlockingExecutor
    let state = Mutex(State())
    private let waiting: Meter
    private let delivered: Counter
    private let failed: Counter

    /// Makes the station of an entry.
    init(_ ready: ReadyDelivery, metrics: RecorderMetrics) {
        self.ready = ready
        executor = BlockingExecutor(name: ready.name, threads: ready.envelope.parallel)
        (waiting, delivered, failed) = metrics.delivery(ready.name, type: ready.type)
        waiting.set(0)
    }

    /// Adds a recording. Returns true if it was not there.
    func add(_ item: DeliveryQueue.Item) -> Bool {
        let (isNew, count) = state.withLock { ($0.queue.add(item), $0.queue.count) }
        waiting.set(Int64(count))
        return isNew
    }

    /// Takes the next recording, if one is due and there is a place for it.
    func take(now: ContinuousClock.Instant) -> DeliveryQueue.Item? {
        state.withLock { state in
            guard state.running.count < ready.envelope.parallel, state.pause.map({ $0 <= now }) ?? true else {
                return nil
            }
            return state.queue.take(now: now)
        }
    }

    /// The time at which something may be due; nil if nothing waits.
    var next: ContinuousClock.Instant? {
        state.withLock { state in
            guard state.running.count < ready.envelope.parallel, let next = state.queue.next else { return nil }
            return max(next, state.pause ?? next)
        }
    }

    /// Notes that a recording needs no attempt any more.
    /// - Parameter wasDelivered: true if an attempt has succeeded now.
    func finish(_ item: DeliveryQueue.Item, wasDelivered: Bool) {
        let count = state.withLock { state in
            state.queue.forget(item.id)
            state.running[item.id] = nil
            if wasDelivered || state.queue.count == 0 {
                state.failures = 0
                state.pause = nil
                state.problem = nil
            }
            return state.queue.count
        }
        if wasDelivered { delivered.increment() }
        waiting.set(Int64(count))
    }

    /// Puts a recording back that another server is delivering.
    func putOff(_ item: DeliveryQueue.Item, for wait: Duration) {
        var item = item
        item.due = Clocks.current.now + wait
        state.withLock { state in
            state.running[item.id] = nil
            state.queue.putBack(item)
        }
    }

    /// Notes that an attempt goes on long after its deadline. It keeps its place until it ends.
    func noteStuck() { state.withLock { $0.problem = "an attempt ignores its deadline, and has not ended" } }

    /// Notes a failed attempt, and puts the recording back.
    /// - Parameter isLocal: true if the destination is not at fault.
    /// - Returns: the item as it waits now, and the wait.
    func fail(
        _ item: DeliveryQueue.Item, _ error: DeliveryError, isLocal: Bool = false
    ) -> (item: DeliveryQueue.Item, wait: Duration) {
        var item = item
        item.attempts += 1
        let seconds = min(ready.envelope.retryLimit, pow2(item.attempts - 1))
        // What a destination asks for may be any number.
        let asked = min(max(.zero, error.retryAfter ?? .zero), .seconds(Self.longestWait))
        let wait = max(.seconds(seconds), asked), now = Clocks.current.now
        item.due = now + wait
        state.withLock { state in
            state.running[item.id] = nil
            state.queue.putBack(item)
            guard !isLocal else { return }
            state.failures += 1
            state.problem = error.description
            if state.failures >= Self.patience {
                state.pause = now + .seconds(min(Self.longestPause, pow2(state.failures - Self.patience)))
            }
        }
        failed.increment()
        return (item, wait)
    }

    /// Returns a power of two in seconds, of at most a day.
    private func pow2(_ exponent: Int) -> Double { exponent < 17 ? Double(1 << exponent) : 86400 }

    /// The reason why deliveries fail, and the number of recordings that wait; nil while there is no trouble.
    var trouble: (reason: String, count: Int)? {
        state.withLock { state in state.queue.count == 0 ? nil : state.problem.map { ($0, state.queue.count) } }
    }
}
