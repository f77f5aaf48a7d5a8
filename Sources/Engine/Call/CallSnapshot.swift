package import CallreelCore
package import Foundation

/// The state of a call for lists of running calls.
package struct CallSnapshot: Sendable {
    package let id: RecordingID
    package let call: CallFacts
    package let format: AudioFormat
    package let startedAt: Date
    package let framesReceived: Int
    /// True when the recording is paused and new audio is masked.
    package let isPaused: Bool
    /// True when a resume was requested and waits until it is safe.
    package let isResuming: Bool
    /// The first masked frame of the present pause. Nil while the recording is not paused.
    package let maskedFrom: Int?
    /// The frame at which the recording last resumed. While ``isResuming``, the earliest frame for the next resume.
    package let clearFrom: Int?
    package let sinks: [SinkStatus]

    /// Describes a call by its ledger, its pause and its sinks.
    init(_ ledger: CallLedger, pause: RecordingPause, sinks: [SinkStatus]) {
        id = ledger.id
        call = ledger.call
        format = ledger.format
        startedAt = ledger.startedAt
        framesReceived = ledger.framesReceived
        isPaused = pause.isMasking
        isResuming = pause.isResuming
        maskedFrom = pause.maskedFrom
        clearFrom = pause.earliestClear(received: ledger.framesReceived) ?? pause.clearFrom
        self.sinks = sinks
    }
}
