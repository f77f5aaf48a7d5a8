import CallreelCore
import DequeModule

/// The recordings that one delivery still has to deliver: the new ones in their order, then those that failed, by the
/// time of their next attempt.
struct DeliveryQueue {
    /// A recording to be delivered.
    struct Item: Sendable {
        let id: RecordingID
        /// The recording's name.
        let recording: String
        /// Failed attempts so far.
        var attempts = 0
        /// The time of the next attempt, for one that has failed.
        var due: ContinuousClock.Instant?
    }

    private var fresh: Deque<Item> = []
    /// The latest first.
    private var failed: [Item] = []
    private var known: Set<RecordingID> = []

    /// Number of recordings, with those that are being delivered.
    var count: Int { known.count }

    /// The time of the next attempt; nil if nothing waits.
    var next: ContinuousClock.Instant? { fresh.isEmpty ? failed.last?.due : .now }

    /// Adds a recording, unless it is there or is being delivered. One that waits for its first attempt is hastened.
    /// Returns true if there is something new to do.
    mutating func add(_ item: Item) -> Bool {
        guard known.insert(item.id).inserted else {
            guard item.due == nil, let place = failed.firstIndex(where: { $0.id == item.id && $0.attempts == 0 }) else {
                return false
            }
            failed.remove(at: place)
            fresh.append(item)
            return true
        }
        if item.due == nil { fresh.append(item) } else { wait(item) }
        return true
    }

    /// Removes and returns the recording to be delivered next; nil if none is due.
    mutating func take(now: ContinuousClock.Instant) -> Item? {
        if let item = fresh.popFirst() { return item }
        guard let last = failed.last, let due = last.due, due <= now else { return nil }
        return failed.popLast()
    }

    /// Puts a taken recording back, for another attempt.
    mutating func putBack(_ item: Item) { wait(item) }

    /// Forgets a taken recording.
    mutating func forget(_ id: RecordingID) { known.remove(id) }

    private mutating func wait(_ item: Item) {
        let due = item.due ?? .now
        var low = 0, high = failed.count
        while low < high {
            let middle = (low + high) / 2
            if failed[middle].due ?? .now > due { low = middle + 1 } else { high = middle }
        }
        failed.insert(item, at: low)
    }
}
