package import CallreelCore
import CoreMetrics
package import Foundation
package import Logging
import Synchronization

/// One call from its first frame to its published files.
///
/// The call's source, a connection or a file, pushes audio and events from one thread and never waits. ``run()``
/// handles the rest, from the first manifest to the last, and returns after publication. All counts are in frames.
package final class CallSession: Sendable, Identifiable {
    /// Default limit on the events in one recording. Further events are only counted.
    package static let eventLimit = 10_000
    /// Limit on one event's JSON, in bytes. A larger event is only counted.
    package static let eventByteLimit = 4096
    /// Limit on all events of one recording, in bytes.
    package static let eventsByteLimit = 1 << 20
    /// Time between two saves of a running call's manifest for events.
    static let saveInterval = Duration.seconds(1)

    /// The state of a call for lists of running calls.
    package struct Snapshot: Sendable {
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
    }

    /// The status of one sink in a running call.
    package struct SinkStatus: Sendable {
        /// The activity of a sink in a running call.
        package enum State: String, Sendable {
            /// The sink writes audio as it arrives.
            case recording
            /// The sink is slower than the call. The call waits for it, or has waited.
            case lagging
            /// The sink has stalled. Audio received before it recovers becomes silence in its output.
            case stalled
            /// The sink has finished.
            case complete
            /// The sink has failed for good.
            case failed
        }

        /// The sink's name in the configuration.
        package let name: String
        package let type: String
        package let state: State
        /// Seconds the call waited for the sink.
        package let heldSeconds: Double
        /// True when the sink receives audio even while the recording is paused.
        package let recordsPauses: Bool
    }

    struct State {
        var manifest: Recording
        /// The workers' reports, by sink index. Nil until a worker reports.
        var reports: [SinkReport?]
        /// Sinks abandoned after the call's end, by index.
        var abandoned: Set<Int> = []
        var hasEnded = false
        /// The pause state, which decides on masking new audio.
        var pause: RecordingPause
        /// True when the manifest on disk is out of date.
        var isUnsaved = false
        /// Limit on the stored events.
        let eventLimit: Int
        /// The earliest time for the next save. Events come in bursts, and each save writes all of them.
        var nextSave = ContinuousClock.now
        /// Bytes of the stored events.
        var eventBytes = 0
        /// The published recording. Later events belong to it, no longer to this session.
        var published: Recording?
        /// The places each sink may write to, by sink index.
        var places: [[SinkPlace]] = []
        /// The directory of the call's files. Nil before it is created and after it is released.
        var partial: PartialRecording?
        /// The call's files after they are synced and measured. Nil before.
        var sealed: SealedRecording?
    }

    /// A flag for changes in a sink's account worth an early save of the manifest.
    private final class News: Sendable {
        let isThere = Atomic(false)
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
    /// The group of calls read together with this one. Nil for a call by itself.
    let group: Int?
    let fanout: Fanout
    /// The account of each sink so far, by sink index.
    let accounts: [LiveAccount]
    private let news: News
    let state: Mutex<State>
    /// Wakes `run` when it has work to do.
    let bell = Bell()
    /// The origin of the audio.
    let source: any CallSource

    /// Creates a session. The source may push audio at once:
    /// it waits in the sinks' queues until ``run()`` has opened them. Touches no disk.
    init(_ start: CallStart, environment: Environment, source: any CallSource) {
        id = RecordingID()
        let call = start.call, format = start.format
        self.format = format
        group = start.group
        self.environment = environment
        self.source = source
        let clock = CallClock()
        self.clock = clock
        let startedAt = clock.start
        let plans = environment.plans, store = environment.store
        var logger = environment.logger
        logger[metadataKey: "call.id"] = "\(id)"
        self.logger = logger
        fanout = Fanout(plans: plans, format: format, mayHold: start.mayHold) { source.roomForMore() }
        let news = News()
        self.news = news
        accounts = plans.map { _ in LiveAccount { news.isThere.store(true, ordering: .relaxed) } }
        var manifest = Recording(
            id: id, name: store.template.name(id: id, call: call, startedAt: startedAt), call: call, format: format,
            startedAt: startedAt,
            sinks: plans.enumerated().map { index, plan in
                let directories = environment.storage.places(of: index).compactMap(\.root)
                var sink = Recording.Sink(
                    type: plan.type, name: plan.name, state: .recording,
                    directories: directories.isEmpty ? nil : directories)
                let shape = plan.envelope.format(of: format)
                sink.format = shape == format ? nil : shape
                sink.onPause = plan.envelope.onPause == .silence ? nil : plan.envelope.onPause
                return sink
            })
        manifest.program = CallreelVersion.program
        manifest.partName = store.template.partName(id: id, call: call, startedAt: startedAt)
        state = Mutex(
            State(
                manifest: manifest, reports: plans.map { _ in nil },
                pause: RecordingPause(guard: environment.pauseGuard, format: format),
                eventLimit: environment.eventLimit))
    }

    /// The present state of the call.
    package var snapshot: Snapshot {
        let (manifest, reports, pause) = state.withLock { ($0.manifest, $0.reports, $0.pause) }
        let sinks = plans.indices.map { index in
            let queue = fanout.queues[index]
            let state: SinkStatus.State =
                if let report = reports[index] { report.isFinished ? .complete : .failed } else {
                    queue.isStalled ? .stalled : queue.isLagging ? .lagging : .recording
                }
            return SinkStatus(
                name: plans[index].name, type: plans[index].type, state: state, heldSeconds: queue.holds.seconds,
                recordsPauses: plans[index].envelope.onPause == .record)
        }
        return Snapshot(
            id: id, call: manifest.call, format: format, startedAt: manifest.startedAt,
            framesReceived: manifest.framesReceived, isPaused: pause.isMasking, isResuming: pause.isResuming,
            maskedFrom: pause.maskedFrom,
            clearFrom: pause.earliestClear(received: manifest.framesReceived) ?? pause.clearFrom, sinks: sinks)
    }

    /// The facts known about the call.
    var facts: CallFacts { state.withLock { $0.manifest.call } }

    /// Checks the sinks' time limits and requests a save if one is due. The heartbeat calls this a few times a second.
    func tick(now: ContinuousClock.Instant) {
        for (index, queue) in fanout.queues.enumerated() {
            let pulse = queue.tick(now: now)
            countDrops(index)
            if pulse.held > 0 { metrics.sinks[index].held.increment(by: pulse.held) }
            report(pulse, of: index)
            if pulse.isLost {
                let isNew = state.withLock { $0.reports[index] == nil && $0.abandoned.insert(index).inserted }
                if isNew { bell.ring() }
            }
        }
        let hasNews = news.isThere.exchange(false, ordering: .relaxed)
        let isDue = state.withLock { state in
            if hasNews { state.isUnsaved = true }
            return state.isUnsaved && now >= state.nextSave
        }
        if isDue { bell.ring() }
    }

    /// Reports in metrics and log that a sink has stalled or recovered.
    /// The log shows only the 1st, 2nd, 4th, 8th stall and so on, and the recovery after each.
    private func report(_ pulse: ChunkQueue.Pulse, of index: Int) {
        guard pulse.stall != nil || pulse.hasReturned else { return }
        let (held, stalls) = fanout.queues[index].holds
        let isTold = stalls & (stalls - 1) == 0
        var facts: Logger.Metadata = [
            "sink.name": "\(plans[index].name)", "stalls": "\(stalls)", "held.seconds": "\(Int(held.rounded()))",
        ]
        if let stall = pulse.stall {
            metrics.sinks[index].stalls.increment()
            facts["reason"] = "\(stall.rawValue)"
            if isTold { logger.error("a sink does not keep up and is left behind", metadata: facts) }
        }
        if pulse.hasReturned, isTold {
            facts["frames.dropped"] = "\(fanout.queues[index].droppedFrames)"
            logger.notice("a sink that was left behind is back", metadata: facts)
        }
    }

    /// Returns true if a sink is lagging or stalled.
    func isBehind(_ index: Int) -> Bool { fanout.queues[index].isLagging || fanout.queues[index].isStalled }

    /// Adds the frames dropped by a sink's queue since the last count to the metrics.
    func countDrops(_ index: Int) { metrics.sinks[index].dropped.increment(by: fanout.queues[index].takeNewDrops()) }

    /// Returns the seconds of audio queued for a sink.
    func queuedSeconds(_ index: Int) -> Double { format.seconds(frames: fanout.queues[index].queuedFrames) }

    /// Requests an immediate save of the manifest, because a sink has created a file.
    /// Without the save, a crash would leave the file without a known sink.
    func saveNow() {
        state.withLock {
            $0.isUnsaved = true
            $0.nextSave = .now
        }
        bell.ring()
    }
}
