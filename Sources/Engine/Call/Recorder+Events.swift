package import CallreelCore
import CoreMetrics
import Foundation
import Synchronization

extension Recorder {
    /// Keeps facts about a call until its audio arrives.
    /// Ignores facts without a uuid or conversation, because no call could match them.
    package func expect(_ facts: CallFacts) {
        guard facts.namesCall else { return }
        let dropped = state.withLock { $0.expected.add(facts) }
        metrics.droppedEvents.increment(by: dropped)
    }

    /// Keeps an event with its call, which may be running, published or expected.
    ///
    /// The event's facts find the call: by its uuid, or else by its conversation.
    package func note(_ type: String, data: [String: JSONValue], of facts: CallFacts) async {
        guard facts.namesCall else { return }
        var event = CallEvent(of: facts.carrier, at: Clocks.current.date, type: type, data: data)
        let isSmall = event.byteCount <= CallEvent.byteLimit
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
            let early = isSmall ? event : nil
            let dropped = state.withLock { state -> Int? in
                // A call may have begun since then, and may even be published. It would miss the event, so look again.
                state.begun == begun ? state.expected.add(early, of: facts) : nil
            }
            if let dropped { return metrics.droppedEvents.increment(by: dropped) }
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
}
