package import CallreelCore
import CoreMetrics
import Foundation
import Synchronization

extension Recorder {
    /// A carrier's facts and events about a call, kept until its audio arrives.
    struct Waiting {
        var facts: CallFacts
        var events: [Recording.Event] = []
        /// Events dropped because there was no room.
        var droppedEvents = 0
    }

    /// A running call.
    struct Live {
        let session: CallSession
        /// All facts by which events find the call.
        var facts: CallFacts
    }

    struct State {
        var live: [RecordingID: Live] = [:]
        /// Calls by their names, the oldest first.
        /// So a lookup does not depend on chance where legs share a conversation.
        var liveNames = CallNames<RecordingID>()
        /// Expected calls by a number that grows with each change. The smallest number is the oldest.
        var waiting: [Int: Waiting] = [:]
        var waitingNames = CallNames<Int>()
        var nextWaiting = 0
        /// Number of calls begun so far.
        var begun = 0
        /// Ended calls with work left for the recorder.
        var unfinished: [RecordingID: Unfinished] = [:]
        /// The program is about to end and wants no further call. Running calls continue.
        var isDraining = false
        /// The program is ending the remaining calls, and will then end itself.
        var isLeaving = false
    }

    // MARK: - Facts and events beside the audio

    /// Keeps facts about a call until its audio arrives.
    /// Ignores facts without a uuid or conversation, because no call could match them.
    package func expect(_ facts: CallFacts) {
        guard facts.namesCall else { return }
        let dropped = state.withLock { $0.changeWaiting(facts, limit: Self.waitingLimit) { _ in true } }
        metrics.all.droppedEvents.increment(by: dropped)
    }

    /// Keeps an event with its call, which may be running, published or expected.
    ///
    /// The event's facts find the call: by its uuid, or else by its conversation.
    package func note(_ type: String, data: [String: JSONValue], of facts: CallFacts) async {
        guard facts.namesCall else { return }
        var event = Recording.Event(frame: .start, at: Date(), type: type, data: data)
        let isSmall = JSONValue.object(data).json().utf8.count <= CallSession.eventByteLimit
        while true {
            let (session, begun) = state.withLock { ($0.liveCall(facts), $0.begun) }
            if let session {
                // Events of a call use the call's clock, even if the system's clock is changed.
                event.at = session.clock.now
                if let published = session.take(event, facts: facts) { await lateEvents.add(event, to: published.name) }
                return
            }
            // Outside the recorder's lock, because event loops wait for that lock.
            if let name = catalogue.name(of: facts) { return await lateEvents.add(event, to: name) }
            let early = event
            let dropped = state.withLock { state -> Int? in
                // A call may have begun since then, and may even be published. It would miss the event, so look again.
                guard state.begun == begun else { return nil }
                return state.changeWaiting(facts, limit: Self.waitingLimit) { waiting in
                    guard isSmall, waiting.events.count < Self.waitingEventLimit else { return false }
                    waiting.events.append(early)
                    return true
                }
            }
            if let dropped { return metrics.all.droppedEvents.increment(by: dropped) }
        }
    }
}

extension Recorder.State {
    /// Returns the call of these facts: a running call, or an ended call not published yet.
    /// Adds the facts to a running call, so they find it from now on.
    mutating func liveCall(_ facts: CallFacts) -> CallSession? {
        guard let id = liveNames.best(facts) else { return nil }
        guard var call = live[id] else { return unfinished[id]?.session }
        call.facts.complete(with: facts)
        live[id] = call
        liveNames.add(id, call.facts)
        return call.session
    }

    /// Removes and returns all facts and events kept for a call whose audio arrives now, under any of its names.
    /// Entries for another leg of its conversation stay.
    mutating func takeWaiting(_ facts: CallFacts) -> Recorder.Waiting? {
        var taken: Recorder.Waiting?
        for number in waitingNames.all(facts).sorted() {
            guard let next = waiting[number], facts.isSameLeg(as: next.facts) else { continue }
            removeWaiting(number)
            taken?.facts.complete(with: next.facts)
            taken?.events += next.events
            taken?.droppedEvents += next.droppedEvents
            taken = taken ?? next
        }
        return taken
    }

    /// Changes the entry of an expected call, or adds one. If there are more than `limit` entries, removes the oldest.
    /// - Parameter change: returns false if there was no room for an event.
    /// - Returns: the number of dropped events.
    mutating func changeWaiting(_ facts: CallFacts, limit: Int, _ change: (inout Recorder.Waiting) -> Bool) -> Int {
        var dropped = 0
        var entry = waitingNames.best(facts).flatMap { removeWaiting($0) } ?? Recorder.Waiting(facts: facts)
        entry.facts.complete(with: facts)
        if !change(&entry) {
            entry.droppedEvents += 1
            dropped += 1
        }
        nextWaiting += 1
        waiting[nextWaiting] = entry
        waitingNames.add(nextWaiting, entry.facts)
        if waiting.count > limit, let oldest = waiting.keys.min() {
            dropped += removeWaiting(oldest)?.events.count ?? 0
        }
        return dropped
    }

    @discardableResult
    private mutating func removeWaiting(_ number: Int) -> Recorder.Waiting? {
        guard let entry = waiting.removeValue(forKey: number) else { return nil }
        waitingNames.remove(number, entry.facts)
        return entry
    }
}
