import CoreMetrics
import Foundation
import Synchronization

extension Recorder {
    /// What a carrier said about a call before its audio came.
    struct Waiting {
        var facts: CallFacts
        var events: [Recording.Event] = []
        /// Events that found no room.
        var droppedEvents = 0
    }

    /// A call that runs.
    struct Live {
        let session: CallSession
        /// All facts under which it can be found.
        var facts: CallFacts
    }

    struct State {
        var live: [RecordingID: Live] = [:]
        /// The oldest of several first, so that an answer does not depend on chance where legs share a conversation.
        var liveNames = CallNames<RecordingID>()
        /// By a number that grows, so that the least is the oldest.
        var waiting: [Int: Waiting] = [:]
        var waitingNames = CallNames<Int>()
        var nextWaiting = 0
        /// Calls that have begun so far.
        var begun = 0
        /// Calls that are over and that the recorder still has to do something for.
        var unfinished: [RecordingID: Unfinished] = [:]
        /// No further call is wanted.
        var isDraining = false
        /// The calls that are left are being ended, and then the program.
        var isLeaving = false
    }

    // MARK: - What carriers say beside the audio

    /// Keeps facts about a call whose audio is expected. Facts that name no call are not kept: nothing could find them.
    package func expect(_ facts: CallFacts) {
        guard facts.namesCall else { return }
        let dropped = state.withLock { $0.changeWaiting(facts, limit: Self.waitingLimit) { _ in true } }
        metrics.all.droppedEvents.increment(by: dropped)
    }

    /// Keeps an event with the call that it belongs to: one that runs, one that is published, or one that is expected.
    ///
    /// What the event says of the call finds it: its uuid, or else its conversation.
    package func note(_ type: String, data: [String: JSONValue], of facts: CallFacts) async {
        guard facts.namesCall else { return }
        var event = Recording.Event(frame: .start, at: Date(), type: type, data: data)
        let isSmall = JSONValue.object(data).json().utf8.count <= CallSession.eventByteLimit
        while true {
            let (session, begun) = state.withLock { ($0.liveCall(facts), $0.begun) }
            if let session {
                // A call's events have the time of day of the call, whatever becomes of the system's clock.
                event.at = session.clock.now
                if let published = session.take(event, facts: facts) { await lateEvents.add(event, to: published.name) }
                return
            }
            // Not under the recorder's lock, for which event loops wait.
            if let name = index.name(of: facts) { return await lateEvents.add(event, to: name) }
            let early = event
            let dropped = state.withLock { state -> Int? in
                // A call that has begun since then, and may be published already, would miss the event: look again.
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
    /// The running call that facts speak of. What they say of it finds it from now on, too.
    mutating func liveCall(_ facts: CallFacts) -> CallSession? {
        guard let id = liveNames.best(facts) else { return nil }
        guard var call = live[id] else { return unfinished[id]?.session }
        call.facts.complete(with: facts)
        live[id] = call
        liveNames.add(id, call.facts)
        return call.session
    }

    /// Takes all that is known of a call whose audio comes now, whichever of its names it was said under. What is known of
    /// another leg of its conversation is that leg's.
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

    /// Changes what is known of an expected call; the oldest expectation makes room for a new one.
    /// - Parameter change: returns false when an event found no room.
    /// - Returns: how many events were dropped.
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
        if waiting.count > limit, let oldest = waiting.keys.min() { dropped += removeWaiting(oldest)?.events.count ?? 0 }
        return dropped
    }

    @discardableResult
    private mutating func removeWaiting(_ number: Int) -> Recorder.Waiting? {
        guard let entry = waiting.removeValue(forKey: number) else { return nil }
        waitingNames.remove(number, entry.facts)
        return entry
    }
}
