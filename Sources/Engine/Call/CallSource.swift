package import CallreelCore

/// The origin of a call's audio: a connection or a file. The session asks it for what only the origin can do.
///
/// The session calls it from any thread. Nothing here may block.
package protocol CallSource: Sendable {
    /// There is room again, after ``CallSession/receive(_:)`` returned false.
    func roomForMore()
    /// The call must end, with this reason. By default the session ends it at once.
    func stop(_ session: CallSession, _ reason: String)
    /// The recording goes on after a pause. The source must call ``CallSession/noteDrained()`` once it has delivered
    /// all audio received by now. By default no audio is waiting.
    func drain(_ session: CallSession)
}

extension CallSource {
    package func stop(_ session: CallSession, _ reason: String) { session.end(reason) }

    package func drain(_ session: CallSession) { session.noteDrained() }
}

/// The beginning of a call, as its source knows it.
package struct CallStart: Sendable {
    /// The carrier's facts about the call.
    package var call: CallFacts
    /// The shape of the call's audio.
    package var format: AudioFormat
    /// The number of a group of calls read together. Their sinks use the same threads. Nil for a single call.
    package var group: Int?
    /// The audio can wait for a sink as long as the sink makes progress. A file can wait; a live call cannot.
    package var mayHold: Bool

    /// Describes the beginning of a call.
    package init(_ call: CallFacts, format: AudioFormat, group: Int? = nil, mayHold: Bool = false) {
        self.call = call
        self.format = format
        self.group = group
        self.mayHold = mayHold
    }
}

/// A call that is being recorded: the session that takes its audio, and its result.
package struct RunningCall: Sendable {
    /// Takes the call's audio and events.
    package let session: CallSession
    /// The published manifest, or the reason why there is none. The recorder has logged it.
    package let result: Task<Result<Recording, DiskError>, Never>
}
