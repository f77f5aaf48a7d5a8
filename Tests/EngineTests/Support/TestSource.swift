@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// The source of a test's call. It calls closures.
struct TestSource: CallSource {
    var onRoom: @Sendable () -> Void = {}
    /// Nil ends the call at once.
    var onStop: (@Sendable (String) -> Void)?
    /// Nil means that no audio is waiting.
    var onDrain: (@Sendable () -> Void)?

    func roomForMore() { onRoom() }

    func stop(_ session: CallSession, _ reason: String) {
        if let onStop { onStop(reason) } else { session.end(reason) }
    }

    func drain(_ session: CallSession) {
        if let onDrain { onDrain() } else { session.noteDrained() }
    }
}

extension Recorder {
    /// Starts a call of a test.
    func startCall(
        _ call: CallFacts, format: AudioFormat, onRoom: @escaping @Sendable () -> Void = {}
    ) -> RunningCall {
        begin(CallStart(call, format: format), source: TestSource(onRoom: onRoom))
    }
}

extension Recorder {
    /// The index given to a recorder of a test.
    var index: RecordingIndex {
        guard let index = catalogue as? RecordingIndex else { preconditionFailure("the recorder has no index") }
        return index
    }
}
