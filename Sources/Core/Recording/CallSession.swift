import CoreMetrics
package import Foundation
package import Logging
import Synchronization

/// One call from its first frame to its published files.
///
/// The door pushes audio and events in from one thread and never waits. ``run()``, in a file of its own, drives the rest, from
/// the first manifest to the last, and returns when the recording is published. Everything is counted in frames.
package final class CallSession: Sendable, Identifiable {
    /// Events that one recording keeps, where nothing else is asked for. Further ones are counted.
    package static let eventLimit = 10_000
    /// Bytes of one event's JSON. A larger one is counted, and not kept.
    package static let eventByteLimit = 4096
    /// Bytes of all events of one recording.
    package static let eventsByteLimit = 1 << 20
    /// Time between two saves of a running call's manifest for the sake of events.
    static let saveInterval = Duration.seconds(1)

    /// A call as lists of live calls show it.
    package struct Snapshot: Sendable {
        package let id: RecordingID
        package let call: CallFacts
        package let format: AudioFormat
        package let startedAt: Date
        package let framesReceived: Int
        /// Whether its recording is paused.
        package let isPaused: Bool
        /// For each sink: entry name, type, and how it is doing.
        package let sinks: [(name: String, type: String, state: Recording.SinkState)]
    }

    struct State {
        var manifest: Recording
        /// What the workers reported, by sink.
        var reports: [SinkReport?]
        /// Sinks that were given up after the call's end.
        var abandoned: Set<Int> = []
        var hasEnded = false
        /// What comes now is not to be recorded.
        var isPaused = false
        /// The manifest on disk does not say what this one says.
        var isUnsaved = false
        /// Events that are kept.
        let eventLimit: Int
        /// When the manifest may be saved again: events come in floods, and each save writes all of them.
        var nextSave = ContinuousClock.now
        /// Bytes of the events that are kept.
        var eventBytes = 0
        /// The recording as it was published; what comes now is not this session's any more.
        var published: Recording?
    }

    package let id: RecordingID
    /// The shape of the call's audio.
    package let format: AudioFormat
    /// When the call's audio began.
    let startedAt: Date
    /// A logger that carries the call's identifier.
    package let logger: Logger

    let plans: [SinkPlan]
    /// Which calls are read together with this one.
    let group: Int?
    let store: RecordingStore
    /// Where its manifests are written.
    let ledger: BlockingExecutor
    /// Where its files are hashed.
    let sealer: BlockingExecutor
    let fanout: Fanout
    let state: Mutex<State>
    /// Rings when `run` has something to look at.
    let bell = Bell()
    let metrics: CallMetrics
    /// Asks the door to end the call; nil where there is none.
    private let onStop: (@Sendable (String) -> Void)?

    /// Makes a session. Audio may be pushed at once; it waits in the sinks' queues until ``run()`` has opened them.
    /// - Parameters:
    ///   - group: which calls are read together with this one; nil is none.
    ///   - eventLimit: events that its manifest keeps.
    ///   - onRoom: called, from any thread, when there is room again after ``receive(_:)`` returned false.
    ///   - onStop: called, from any thread, when the call shall be ended because of a sink, with the reason.
    init(
        call: CallFacts, format: AudioFormat, group: Int? = nil, plans: [SinkPlan], store: RecordingStore, ledger: BlockingExecutor,
        sealer: BlockingExecutor, eventLimit: Int = CallSession.eventLimit, metrics: CallMetrics, logger: Logger,
        onRoom: @escaping @Sendable () -> Void, onStop: (@Sendable (String) -> Void)? = nil
    ) {
        id = RecordingID()
        self.format = format
        self.group = group
        self.plans = plans
        self.store = store
        self.ledger = ledger
        self.sealer = sealer
        self.metrics = metrics
        self.onStop = onStop
        startedAt = Date()
        var logger = logger
        logger[metadataKey: "call.id"] = "\(id)"
        self.logger = logger
        fanout = Fanout(plans: plans, format: format, onRoom: onRoom)
        var manifest = Recording(
            id: id, name: store.template.name(id: id, call: call, startedAt: startedAt), call: call, format: format,
            startedAt: startedAt,
            sinks: plans.map { plan in
                let directories = [plan.envelope.directory, plan.envelope.fallback].compactMap(store.root)
                var sink = Recording.Sink(
                    type: plan.type, name: plan.name, state: .recording, directories: directories.isEmpty ? nil : directories)
                let shape = plan.envelope.format(of: format)
                sink.format = shape == format ? nil : shape
                sink.onPause = plan.envelope.onPause == .silence ? nil : plan.envelope.onPause
                return sink
            })
        manifest.partName = store.template.partName(id: id, call: call, startedAt: startedAt)
        state = Mutex(State(manifest: manifest, reports: plans.map { _ in nil }, eventLimit: eventLimit))
    }

    /// The call as it stands.
    package var snapshot: Snapshot {
        let (manifest, reports, isPaused) = state.withLock { ($0.manifest, $0.reports, $0.isPaused) }
        let sinks = plans.indices.map { index in
            let state: Recording.SinkState =
                if let report = reports[index] { report.isFinished ? .complete : .failed } else {
                    fanout.queues[index].isStalled ? .stalled : .recording
                }
            return (name: plans[index].name, type: plans[index].type, state: state)
        }
        return Snapshot(
            id: id, call: manifest.call, format: format, startedAt: manifest.startedAt,
            framesReceived: manifest.framesReceived, isPaused: isPaused, sinks: sinks)
    }

    // MARK: - What the door calls

    /// Adds audio, interleaved by channel in whole frames. Returns false when no more should be read for now.
    package func receive(_ samples: [Int16]) -> Bool {
        // A chunk of nothing would take a place in every queue.
        if samples.isEmpty { return true }
        let hasRoom: Bool? = state.withLock { state in
            guard !state.hasEnded else { return nil }
            let chunk = PCMChunk(
                samples: samples, format: format, start: FramePosition(state.manifest.framesReceived), isPaused: state.isPaused)
            state.manifest.framesReceived += chunk.frameCount
            metrics.all.framesReceived.increment(by: chunk.frameCount)
            // Under the lock, so that no end of the call comes between counting a frame and queueing it.
            return fanout.push(chunk)
        }
        guard let hasRoom else {
            logger.warning("audio after the end of the call is refused", metadata: ["samples": "\(samples.count)"])
            return true
        }
        return hasRoom
    }

    /// Keeps an event at the place that the audio has reached.
    package func note(_ type: String, data: [String: JSONValue]) {
        _ = take(Recording.Event(frame: .start, at: Date(), type: type, data: data), facts: nil)
    }

    /// Keeps an event that came beside the audio, and what it says of the call.
    ///
    /// Carriers repeat such events: the very same one is kept once.
    /// - Parameter facts: what is added to the call's facts where they are not known yet.
    /// - Returns: nil, or the recording if it is published already; the event must then be added there.
    func take(_ event: Recording.Event, facts: CallFacts?) -> Recording? {
        let published = state.withLock { state -> Recording? in
            if let published = state.published { return published }
            if let facts { state.manifest.call.complete(with: facts) }
            state.isUnsaved = true
            if facts != nil, state.manifest.events.contains(where: { $0.type == event.type && $0.data == event.data }) { return nil }
            var event = event
            event.frame = FramePosition(state.manifest.framesReceived)
            if !state.append(event) { metrics.all.droppedEvents.increment() }
            return nil
        }
        return published
    }

    /// Pauses the recording from the next frame on, or goes on with it: what each sink gets meanwhile, its entry in the
    /// configuration says. The manifest has both as events, each at its frame.
    /// - Returns: false when the call is over, or that was so already.
    @discardableResult
    package func pause(_ isPaused: Bool) -> Bool {
        let isNew = state.withLock { state in
            guard !state.hasEnded, state.isPaused != isPaused else { return false }
            state.isPaused = isPaused
            // Not through `append`: whatever a carrier has said, where the audio is missing is in the manifest.
            let type = isPaused ? Recording.Event.paused : Recording.Event.resumed
            state.manifest.events.append(.init(frame: FramePosition(state.manifest.framesReceived), at: Date(), type: type, data: [:]))
            state.isUnsaved = true
            return true
        }
        if isNew { logger.notice("the recording \(isPaused ? "is paused" : "goes on")") }
        return isNew
    }

    /// Counts a message that could not be understood. The first one is logged.
    package func noteMalformed(_ reason: String) {
        let count = state.withLock { state in
            state.manifest.malformedMessages += 1
            return state.manifest.malformedMessages
        }
        metrics.all.malformedMessages.increment()
        if count == 1 { logger.warning("a message was not understood; further ones are only counted", metadata: ["reason": "\(reason)"]) }
    }

    /// Ends the call. The first reason stands. `leftoverBytes` is how many at the end never became a whole frame.
    package func end(_ reason: String, leftoverBytes: Int = 0) {
        let isFirst = state.withLock { state in
            guard !state.hasEnded else { return false }
            state.hasEnded = true
            state.manifest.endedAt = Date()
            state.manifest.endReason = reason
            state.manifest.leftoverBytes = leftoverBytes
            return true
        }
        guard isFirst else { return }
        fanout.close()
        bell.ring()
    }

    /// Ends the call because of a sink. Where there is a door, it says goodbye and hands in what it still has.
    func stop(_ reason: String) {
        guard state.withLock({ !$0.hasEnded }) else { return }
        logger.error("the call is ended", metadata: ["reason": "\(reason)"])
        if let onStop { onStop(reason) } else { end(reason) }
    }

    /// What is known of the call.
    var facts: CallFacts { state.withLock { $0.manifest.call } }

    /// Looks at the clock; the heartbeat calls this a few times a second.
    func tick(now: ContinuousClock.Instant) {
        for (index, queue) in fanout.queues.enumerated() {
            let pulse = queue.tick(now: now)
            countDrops(index)
            if pulse.stalledNow {
                metrics.sinks[index].stalls.increment()
                logger.error("a sink does not keep up and is left behind", metadata: ["sink.name": "\(plans[index].name)"])
            }
            if pulse.isLost {
                let isNew = state.withLock { $0.reports[index] == nil && $0.abandoned.insert(index).inserted }
                if isNew { bell.ring() }
            }
        }
        if state.withLock({ $0.isUnsaved && now >= $0.nextSave }) { bell.ring() }
    }

    /// Adds to the metrics what a sink's queue has dropped since the last time.
    func countDrops(_ index: Int) { metrics.sinks[index].dropped.increment(by: fanout.queues[index].takeNewDrops()) }

    /// Seconds of audio that wait for a sink.
    func queuedSeconds(_ index: Int) -> Double { format.seconds(frames: fanout.queues[index].queuedFrames) }

    /// A sink has made a file: the manifest on disk must say so at once, or nobody knows whose it is after a crash.
    func saveNow() {
        state.withLock {
            $0.isUnsaved = true
            $0.nextSave = .now
        }
        bell.ring()
    }
}

extension CallSession.State {
    /// Adds an event, or counts it when there are too many or it is too large. Says whether it was added.
    fileprivate mutating func append(_ event: Recording.Event) -> Bool {
        let bytes = JSONValue.object(event.data).json().utf8.count
        guard manifest.events.count < eventLimit, bytes <= CallSession.eventByteLimit,
            eventBytes + bytes <= CallSession.eventsByteLimit
        else {
            manifest.droppedEvents += 1
            return false
        }
        eventBytes += bytes
        manifest.events.append(event)
        return true
    }
}
