import CallreelCore

// The events of the call, each given to the sink when it has got the audio before it.
extension SinkWorker where Sink: ~Copyable {
    /// Takes an event from the queue.
    mutating func take(_ event: CallEvent) async throws(SinkError) {
        recent.append(event)
        events.append(event.counted(in: format, from: job.format))
        if sink != nil { try await giveEvents(to: given) }
    }

    /// Gives the sink the events up to a position, in the sink's shape.
    mutating func giveEvents(to end: Int) async throws(SinkError) {
        while let next = events.first, next.frame.frames <= end {
            events.removeFirst()
            try await sink?.event(next)
        }
    }

    /// Describes the end of the open part.
    /// - Parameter reason: the reason why the call ended; nil if it goes on.
    func end(_ reason: String?) -> CallEnd {
        var account = account
        if let part { account.keep(part.range(to: cursor.written)) }
        let frames = cursor.written, ranges = account.tally(received: frames).ranges
        var end = CallEnd(
            reason: reason, frames: frames, silence: ranges.silence?.frames ?? 0,
            masked: ranges.masked?.frames ?? 0, skipped: ranges.skipped?.frames ?? 0, lost: ranges.lost?.frames ?? 0)
        end.cut = ranges.cut?.frames ?? 0
        return end
    }
}

extension CallEvent {
    /// Returns the event with its position counted in another shape of the audio.
    func counted(in shape: AudioFormat, from source: AudioFormat) -> CallEvent {
        guard shape != source else { return self }
        var event = self
        event.frame = FramePosition(shape.frames(frame.frames, of: source))
        return event
    }
}
