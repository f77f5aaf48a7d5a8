package import CallreelCore
import CoreMetrics
import Foundation
package import Logging
import Synchronization

/// One call from its first frame to its published files.
///
/// The call's source, a connection or a file, pushes audio and events from one thread and never waits. ``run()``
/// handles the rest, from the first ledger to the published manifest. All counts are in frames.
package final class CallSession: Sendable, Identifiable {
    /// Default limit on the events in one recording. Further events are only counted.
    package static let eventLimit = 10_000
    /// Limit on all events of one recording, in bytes.
    static let eventsByteLimit = 1 << 20

    struct State {
        var ledger: CallLedger
        var hasEnded = false
        /// Audio has come after the end, and was refused.
        var hasRefused = false
        /// The pause state, which decides on masking new audio.
        var pause: RecordingPause
        /// The time of the ledger's next save.
        let saves: SaveSchedule
        /// Limit on the stored events.
        let eventLimit: Int
        /// Bytes of the stored events.
        var eventBytes = 0
        /// The number and bytes of the stored events that sinks reported.
        var sinkEvents = 0, sinkEventBytes = 0
        /// The published recording. Later events belong to it, no longer to this session.
        var published: Recording?
        /// The directory of the call's files. Nil before it is created and after it is released.
        var partial: PartialRecording?
        /// The call's files after they are synced and measured. Nil before.
        var sealed: SealedRecording?
    }

    package let id: RecordingID
    /// The format of the call's audio.
    package let format: AudioFormat
    /// The time of day during the call. The clock started with the call's audio.
    let clock: CallClock

    /// The time the call's audio began.
    var startedAt: Date { clock.start }

    /// A logger with the call's identifier.
    package let logger: Logger

    let environment: Environment
    /// The sinks, in the order of the configuration and of the ledger.
    let sinks: [CallSink]
    let state: Mutex<State>
    /// Wakes `run` when it has work to do.
    let bell: Bell
    /// The time of the ledger's next save.
    let saves: SaveSchedule
    /// The origin of the audio.
    let source: any CallSource

    /// Creates a session. The source may push audio at once:
    /// it waits in the sinks' queues until ``run()`` has opened them. Touches no disk.
    init(_ start: CallStart, environment: Environment, source: any CallSource) {
        let id = RecordingID(), clock = CallClock(), bell = Bell(), saves = SaveSchedule(bell: bell)
        self.id = id
        self.clock = clock
        self.bell = bell
        self.saves = saves
        self.environment = environment
        self.source = source
        format = start.format
        var logger = environment.logger
        logger[metadataKey: "call.id"] = "\(id)"
        self.logger = logger
        let settings = environment.settings
        let selection = CallSelection(start.call, of: environment.stations, settings.deliveries)
        sinks = selection.stations.enumerated().map { index, station in
            CallSink(station, index: index, of: start, source: source, saves: saves)
        }
        let template = environment.store.template
        var ledger = CallLedger(
            id: id, name: template.name(id: id, call: start.call, startedAt: clock.start), call: start.call,
            format: start.format, startedAt: clock.start, sinks: sinks.map(\.entry))
        ledger.program = CallreelVersion.program
        ledger.deliveries = selection.deliveries.isEmpty ? nil : selection.deliveries
        ledger.skippedEntries = selection.skipped.isEmpty ? nil : selection.skipped
        ledger.partName = template.partName(id: id, call: start.call, startedAt: clock.start)
        state = Mutex(
            State(
                ledger: ledger, pause: RecordingPause(guard: settings.pauseGuard, format: start.format),
                saves: saves, eventLimit: settings.eventLimit))
    }

    /// The present state of the call.
    package var snapshot: CallSnapshot {
        let (ledger, pause) = state.withLock { ($0.ledger, $0.pause) }
        return CallSnapshot(ledger, pause: pause, sinks: sinks.map(\.status))
    }

    /// The published recording; nil before.
    var published: Recording? { state.withLock { $0.published } }

    /// The facts known about the call.
    var facts: CallFacts { state.withLock { $0.ledger.call } }

    /// Checks the sinks' time limits and requests a save if one is due. The heartbeat calls this a few times a second.
    func tick(now: ContinuousClock.Instant) {
        for sink in sinks where sink.tick(now: now, logger: logger) { bell.ring() }
        if saves.isDue(now) { bell.ring() }
    }
}
