import NIOCore
import Synchronization

/// Wakes the calls of one event loop once in each read interval, in groups that are spread over it.
///
/// A group is woken at once: what its calls read, and the sinks that are woken by it, share a turn of the loop and of the sinks'
/// threads. A timer for each call would wake all of them for each call. Everything here runs on the loop.
final class ReadClock {
    /// Groups in an interval: enough that the work of many calls is spread over it, few enough that they have many calls each.
    static let groupCount = 10

    /// A call's place on the clock.
    struct Ticket {
        /// The number of its group among those of all clocks.
        let group: Int
        fileprivate let number: Int
    }

    /// The number of its first group among those of all clocks.
    private let firstGroup: Int
    /// What the calls of the loop are read with, one after the other.
    let reader = SocketReader()

    private let eventLoop: any EventLoop
    private let interval: TimeAmount
    private var groups = [[Int: () -> Void]](repeating: [:], count: ReadClock.groupCount)
    private var issued = 0
    /// The group that was woken last.
    private var current = 0
    private var timer: RepeatedTask?

    /// Makes a clock that stands still until there is somebody to wake.
    init(eventLoop: any EventLoop, interval: TimeAmount, number: Int) {
        firstGroup = number * Self.groupCount
        self.eventLoop = eventLoop
        self.interval = interval
    }

    /// Has something done in each interval, from the next one on, until it is removed.
    func add(_ action: @escaping () -> Void) -> Ticket {
        let group = groups.indices.min { groups[$0].count < groups[$1].count } ?? 0
        issued += 1
        groups[group][issued] = action
        if timer == nil { start() }
        return Ticket(group: firstGroup + group, number: issued)
    }

    /// Ends what was added. The clock stands still when nothing is left.
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
        // A copy, since who is woken may leave.
        for action in groups[current].values { action() }
    }
}

/// The clocks of a server, one for each event loop that has had a call.
final class ReadClocks: Sendable {
    private let interval: TimeAmount
    private let clocks = Mutex<[ObjectIdentifier: NIOLoopBound<ReadClock>]>([:])

    /// Makes clocks of one interval.
    init(interval: TimeAmount) { self.interval = interval }

    /// The clock of a loop. Called on that loop.
    func clock(of eventLoop: any EventLoop) -> ReadClock {
        let bound = clocks.withLock { clocks in
            let key = ObjectIdentifier(eventLoop)
            if let clock = clocks[key] { return clock }
            let clock = NIOLoopBound(ReadClock(eventLoop: eventLoop, interval: interval, number: clocks.count), eventLoop: eventLoop)
            clocks[key] = clock
            return clock
        }
        return bound.value
    }
}
