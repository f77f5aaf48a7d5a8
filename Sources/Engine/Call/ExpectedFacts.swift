import CallreelCore

/// A carrier's facts and events about calls, kept until their audio arrives.
///
/// Facts also come long after a call's audio, and then no call takes them. So only the latest entries are kept.
struct ExpectedFacts {
    /// Number of calls without audio yet, or long after it, about which facts are kept at once.
    static let limit = 1000
    /// Number of events kept for one expected call.
    static let eventLimit = 20

    /// The facts and events about one call.
    struct Entry {
        var facts: CallFacts
        var events: [CallEvent] = []
        /// Events dropped because there was no room.
        var droppedEvents = 0
    }

    /// Entries by a number that grows with each change. The smallest number is the oldest.
    private var entries: [Int: Entry] = [:]
    private var names = CallNames<Int>()
    private var last = 0

    /// Keeps facts about a call. Returns the number of events dropped with the oldest entry.
    mutating func add(_ facts: CallFacts) -> Int { change(facts) { _ in true } }

    /// Keeps an event about a call. Returns the number of events dropped.
    /// - Parameter event: the event; nil for one that is too large, which is only counted.
    mutating func add(_ event: CallEvent?, of facts: CallFacts) -> Int {
        change(facts) { entry in
            guard let event, entry.events.count < Self.eventLimit else { return false }
            entry.events.append(event)
            return true
        }
    }

    /// Removes and returns all facts and events kept for a call whose audio arrives now, under any of its names.
    /// Entries for another leg of its conversation stay.
    mutating func take(_ facts: CallFacts) -> Entry? {
        var taken: Entry?
        for (number, next) in entries(of: facts) {
            remove(number)
            taken?.facts.complete(with: next.facts)
            taken?.events += next.events
            taken?.droppedEvents += next.droppedEvents
            taken = taken ?? next
        }
        return taken
    }

    /// Returns a call's facts with all that is kept about it. Keeps everything.
    func completed(_ facts: CallFacts) -> CallFacts {
        var completed = facts
        for (_, next) in entries(of: facts) { completed.complete(with: next.facts) }
        return completed
    }

    /// Returns the entries about a call, the oldest first. Entries for another leg of its conversation are left out.
    private func entries(of facts: CallFacts) -> [(number: Int, entry: Entry)] {
        names.all(facts).sorted().compactMap { number in
            entries[number].flatMap { facts.isSameLeg(as: $0.facts) ? (number, $0) : nil }
        }
    }

    /// Changes the entry of a call, or adds one. If there are too many entries, removes the oldest.
    /// - Parameter change: returns false if there was no room for an event.
    /// - Returns: the number of dropped events.
    private mutating func change(_ facts: CallFacts, _ change: (inout Entry) -> Bool) -> Int {
        var dropped = 0
        var entry = names.best(facts).flatMap { remove($0) } ?? Entry(facts: facts)
        entry.facts.complete(with: facts)
        if !change(&entry) {
            entry.droppedEvents += 1
            dropped += 1
        }
        last += 1
        entries[last] = entry
        names.add(last, entry.facts)
        if entries.count > Self.limit, let oldest = entries.keys.min() {
            dropped += remove(oldest)?.events.count ?? 0
        }
        return dropped
    }

    @discardableResult
    private mutating func remove(_ number: Int) -> Entry? {
        guard let entry = entries.removeValue(forKey: number) else { return nil }
        names.remove(number, entry.facts)
        return entry
    }
}
