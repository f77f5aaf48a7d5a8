package import CallreelCore
import CoreMetrics
import Foundation
import Logging
import Synchronization

// The verbs of the source: audio, events, pauses and the end of the call.
extension CallSession {
    /// Adds audio, interleaved by channel, in whole frames. Returns false if the source should stop reading for now.
    package func receive(_ samples: [Int16]) -> Bool {
        // An empty chunk would take a place in every queue.
        if samples.isEmpty { return true }
        let hasRoom: Bool? = state.withLock { state in
            guard !state.hasEnded else { return nil }
            let start = state.ledger.framesReceived, count = samples.count / format.channels
            // Counting and queueing share one lock, so that neither the call's end nor a pause comes between them.
            let hasRoom = push(samples, &state)
            state.ledger.framesReceived = start + count
            metrics.framesReceived.increment(by: count)
            return hasRoom
        }
        guard let hasRoom else {
            // A file that is played into a call may have much left.
            let isFirst = state.withLock { state in
                defer { state.hasRefused = true }
                return !state.hasRefused
            }
            if isFirst {
                logger.warning("audio refused: the call has ended", metadata: ["samples": "\(samples.count)"])
            }
            return true
        }
        return hasRoom
    }

    /// Queues audio for the sinks, masked or not. If a pause ends within a chunk, splits the chunk there.
    /// Called with the lock held.
    private func push(_ samples: [Int16], _ state: inout State) -> Bool {
        let start = state.ledger.framesReceived, count = samples.count / format.channels
        let cut = state.pause.cut(start: start, count: count, now: clock.moment)
        let chunk = PCMChunk(samples: samples, format: format, start: FramePosition(start), isPaused: cut.masked > 0)
        guard let clearFrom = cut.clearFrom else { return sinks.push(chunk) }
        note(CallEvent.resumed, at: clearFrom, &state)
        guard cut.masked > 0 else { return sinks.push(chunk) }
        let hasRoom = sinks.push(chunk.prefix(cut.masked))
        let rest = chunk.dropFirst(cut.masked)
        return sinks.push(PCMChunk(samples: rest.samples, format: format, start: rest.start)) && hasRoom
    }

    /// Stores an event at the current frame.
    package func note(_ type: String, data: [String: JSONValue]) {
        _ = take(CallEvent(of: facts.carrier, at: clock.now, type: type, data: data), facts: nil)
    }

    /// Stores an event and, for one received beside the audio, its facts about the call.
    ///
    /// Carriers repeat events sent beside the audio, so identical ones are stored once.
    /// - Parameter facts: facts to fill in where the call's are missing; nil for an event received with the audio.
    /// - Returns: nil, or the recording if it is already published. The event must then be added to that recording.
    func take(_ event: CallEvent, facts: CallFacts?) -> Recording? {
        let published = state.withLock { state -> Recording? in
            if let published = state.published { return published }
            if let facts { state.ledger.call.complete(with: facts) }
            state.saves.note()
            if state.hides(event, isLate: facts != nil) {
                state.ledger.maskedEvents = (state.ledger.maskedEvents ?? 0) + 1
                metrics.maskedEvents.increment()
                return nil
            }
            if facts != nil, state.ledger.events.contains(where: event.isRepeat(of:)) { return nil }
            var event = event
            event.frame = FramePosition(state.ledger.framesReceived)
            if state.append(event) { sinks.push(event) } else { metrics.droppedEvents.increment() }
            return nil
        }
        return published
    }

    /// Stores an event that a sink reports.
    /// - Parameters:
    ///   - frame: the event's position, in the sink's shape.
    ///   - sink: the sink.
    func take(_ type: String, at frame: FramePosition, data: [String: JSONValue], from sink: CallSink) {
        var event = CallEvent(of: sink.name, at: clock.now, type: type, data: data)
        event.sink = sink.name
        // A sink may state any number.
        let wanted = format.frames(min(max(0, frame.frames), 1 << 40), of: sink.shape)
        // A sink that gets silence for a pause knows nothing of it.
        let maySpeakOfPause = sink.recordsPauses && event.tellsEntry
        state.withLock { state in
            event.frame = FramePosition(min(wanted, state.ledger.framesReceived))
            let place = event.frame.frames
            // The sink may be behind: the frame counts, and not the moment.
            func isOfPause() -> Bool {
                state.ledger.pauses.contains {
                    $0.lowerBound <= place && place < $0.upperBound + format.sampleRate
                }
            }
            if maySpeakOfPause, state.hides(event, isLate: false) || isOfPause() {
                state.ledger.maskedEvents = (state.ledger.maskedEvents ?? 0) + 1
                metrics.maskedEvents.increment()
            } else if state.published != nil || !state.appendFromSink(event) {
                metrics.droppedEvents.increment()
            }
            state.saves.note()
        }
    }

    /// Pauses the recording from the next frame, or resumes it as soon as that is safe.
    /// The configuration sets each sink's audio during a pause. The manifest lists both as events, each at its frame.
    /// - Returns: false if the call has ended, or already is in the requested state.
    @discardableResult
    package func pause(_ isPaused: Bool) -> Bool {
        isPaused ? pause() : resume()
    }

    private func pause() -> Bool {
        let change = state.withLock { state -> Bool? in
            guard !state.hasEnded, !state.pause.isMasking || state.pause.isResuming else { return nil }
            let frame = state.ledger.framesReceived
            guard state.pause.pause(at: frame) else { return false }
            // Bypasses the limits of `append`: the manifest must show every pause,
            // however many events the carrier sent.
            note(CallEvent.paused, at: frame, &state)
            return true
        }
        guard let change else { return false }
        let exceptions = sinks.filter(\.recordsPauses).map(\.name)
        var facts: Logger.Metadata = [:]
        if !exceptions.isEmpty { facts["sinks.recording"] = "\(exceptions.joined(separator: ", "))" }
        logger.notice(change ? "recording paused" : "recording stays paused", metadata: facts)
        return true
    }

    private func resume() -> Bool {
        let isNew = state.withLock { state in
            guard !state.hasEnded, state.pause.isMasking, !state.pause.isResuming else { return false }
            let received = state.ledger.framesReceived
            state.pause.resume(now: clock.moment)
            if state.pause.endWithoutGuard(received: received, now: clock.moment) {
                note(CallEvent.resumed, at: received, &state)
            }
            return true
        }
        if isNew {
            logger.notice("recording resumed")
            source.drain(self)
        }
        return isNew
    }

    /// Ends the wait for audio received before the last drain request.
    /// The source calls this once it has delivered all of it.
    package func noteDrained() {
        state.withLock { state in
            let received = state.ledger.framesReceived
            state.pause.drained(received: received)
            if state.pause.endWithoutGuard(received: received, now: clock.moment) {
                note(CallEvent.resumed, at: received, &state)
            }
        }
    }

    /// Stores an event of Callreel's own, without the limits on the carrier's. Called with the lock held.
    private func note(_ type: String, at frame: Int, _ state: inout State) {
        let event = CallEvent(frame: FramePosition(frame), at: clock.now, type: type)
        state.ledger.events.append(event)
        state.saves.note()
        sinks.push(event)
    }

    /// Counts a malformed message. Logs the first one.
    package func noteMalformed(_ reason: String) {
        let (count, isPaused) = state.withLock { state in
            state.ledger.malformedMessages += 1
            return (state.ledger.malformedMessages, state.pause.isMasking)
        }
        metrics.malformedMessages.increment()
        // Even a malformed message may contain a typed digit, so the log leaves its content out.
        let reason = isPaused ? "it arrived while the recording was paused" : reason
        if count == 1 {
            logger.warning(
                "message not understood: further ones are only counted", metadata: ["reason": "\(reason)"])
        }
    }

    /// Ends the call. Only the first reason is stored.
    /// - Parameter leftoverBytes: bytes at the end too few for a whole frame.
    package func end(_ reason: String, leftoverBytes: Int = 0) {
        let isFirst = state.withLock { state in
            guard !state.hasEnded else { return false }
            state.hasEnded = true
            state.ledger.endedAt = clock.now
            if state.pause.isResuming { note(CallEvent.resumed, at: state.ledger.framesReceived, &state) }
            state.ledger.endReason = reason
            state.ledger.leftoverBytes = leftoverBytes
            return true
        }
        guard isFirst else { return }
        for sink in sinks { sink.queue.close(reason) }
        bell.ring()
    }

    /// Ends the call because of a sink. A live source first closes its connection and delivers its remaining audio.
    func stop(_ reason: String) {
        guard state.withLock({ !$0.hasEnded }) else { return }
        logger.error("ending the call", metadata: ["reason": "\(reason)"])
        source.stop(self, reason)
    }
}

extension CallSession.State {
    /// Returns true if an event reveals input typed or spoken while the recording was paused.
    /// - Parameter isLate: true for an event received beside the audio. It may arrive some time after the input.
    fileprivate func hides(_ event: CallEvent, isLate: Bool) -> Bool {
        guard pause.isMasking || pause.clearAt != nil, event.tellsEntry else { return false }
        if pause.isMasking { return true }
        guard isLate, let clearAt = pause.clearAt else { return false }
        return Clocks.current.now - clearAt < .seconds(CallEvent.lateEntry)
    }

    /// Adds an event, or only counts it if it exceeds a limit on number or size. Returns true if the event was added.
    fileprivate mutating func append(_ event: CallEvent) -> Bool {
        let bytes = event.byteCount
        guard ledger.events.count < eventLimit, bytes <= CallEvent.byteLimit,
            eventBytes + bytes <= CallSession.eventsByteLimit
        else {
            ledger.droppedEvents += 1
            return false
        }
        eventBytes += bytes
        ledger.events.append(event)
        return true
    }

    /// Adds an event of a sink likewise. All sinks together have half of the room, so that they cannot crowd out the
    /// carrier's events.
    fileprivate mutating func appendFromSink(_ event: CallEvent) -> Bool {
        let bytes = event.byteCount
        guard sinkEvents < eventLimit / 2, sinkEventBytes + bytes <= CallSession.eventsByteLimit / 2 else {
            ledger.droppedEvents += 1
            return false
        }
        guard append(event) else { return false }
        sinkEvents += 1
        sinkEventBytes += bytes
        return true
    }
}
