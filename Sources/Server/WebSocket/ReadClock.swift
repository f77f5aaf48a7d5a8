import NIOCore
import Synchronization

/// Wakes the calls of one event loop once in each read interval, in groups spread over the interval.
/// Everything here runs on the loop.
///
/// All calls of a group are woken together. Their reads, and the sinks that these wake, share a turn of the loop and of
/// the sinks' threads.
/// A timer for each call would wake the loop and the threads for each call.
final class ReadClock {
    /// Groups in an interval: enough to spread the work of many calls, few enough that each has many calls.
    static let groupCount = 10

    /// A call's place on the clock.
    struct Ticket {
        /// The number of the call's group among the groups of all clocks.
        let group: Int
        fileprivate let number: Int
    }

    /// The number of this clock's first group among the groups of all clocks.
    private let firstGroup: Int
    /// The reader that the loop's calls share, one after the other.
    let reader = SocketReader()

    private let eventLoop: any EventLoop
    private let interval: TimeAmount
    private var groups = [[Int: () -> Void]](repeating: [:], count: ReadClock.groupCount)
    private var issued = 0
    /// The group woken last.
    private var current = 0
    private var timer: RepeatedTask?

    /// Makes a clock that is stopped until the first action is added.
    init(eventLoop: any EventLoop, interval: TimeAmount, number: Int) {
        firstGroup = number * Self.groupCount
        self.eventLoop = eventLoop
        self.interval = interval
    }

    /// Runs an action in each interval, from the next one on, until it is removed.
    func add(_ action: @escaping () -> Void) -> Ticket {
        let group = groups.indices.min { groups[$0].count < groups[$1].count } ?? 0
        issued += 1
        groups[group][issued] = action
        if timer == nil { start() }
        return Ticket(group: firstGroup + group, number: issued)
    }

    /// Removes an action. The clock stops if none is left.
    func remove(_ ticket: Ticket) {
        groups[ticket.group - firstGroup][ticket.number] = nil
        guard groups.allSatisfy(\.isEmpty) else { return }
        timer?.cancel()
        timer = nil
    }

    private func start() {
        let step = TimeAmount.nanoseconds(max(1, interval.nanoseconds / Int64(Self.groupCount)))
        let clock = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: step, delay: step) { _ in clock.value.step() }
    }

    private func step() {
        current = (current + 1) % Self.groupCount
        // A copy, because an action may remove itself.
        for action in groups[current].values { action() }
    }
}

/// The clocks of a server, one for each event loop that has had a call.
final class ReadClocks: Sendable {
    private let interval: TimeAmount
    private let clocks = Mutex<[ObjectIdentifier: NIOLoopBound<ReadClock>]>([:])

    /// Makes clocks with one interval.
    init(interval: TimeAmount) { self.interval = interval }

    /// Returns the clock of a loop. Called on that loop.
    func clock(of eventLoop: any EventLoop) -> ReadClock {
        let bound = clocks.withLock { clocks in
            let key = ObjectIdentifier(eventLoop)
            if let clock = clocks[key] { return clock }
            let clock = NIOLoopBound(
                ReadClock(eventLoop: eventLoop, interval: interval, number: clocks.count), eventLoop: eventLoop)
            clocks[key] = clock
            return clock
        }
        return bound.value
    }
}
