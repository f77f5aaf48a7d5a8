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
        /// Whether its recording is paused: what comes now is masked.
        package let isPaused: Bool
        /// Whether it is about to go on.
        package let isResuming: Bool
        /// The first frame that is masked, while the recording is paused.
        package let maskedFrom: Int?
        /// The frame at which the recording went on the last time; while it is about to, the earliest at which it will.
        package let clearFrom: Int?
        package let sinks: [SinkStatus]
    }

    /// How a sink of a running call is doing.
    package struct SinkStatus: Sendable {
        /// What a sink of a running call does.
        package enum State: String, Sendable {
            /// It takes the audio as it comes.
            case recording
            /// It is slower than the call, which waits for it or has waited.
            case lagging
            /// It was left behind; what comes meanwhile will be silence in it.
            case stalled
            /// It has the whole call, and has come to its end.
            case complete
            /// It failed for good.
            case failed
        }

        /// The entry's name.
        package let name: String
        package let type: String
        package let state: State
        /// Seconds in which the call waited for it.
        package let heldSeconds: Double
        /// Whether it gets the audio all the same while the recording is paused.
        package let recordsPauses: Bool
    }

    struct State {
        var manifest: Recording
        /// What the workers reported, by sink.
        var reports: [SinkReport?]
        /// Sinks that were given up after the call's end.
        var abandoned: Set<Int> = []
        var hasEnded = false
        /// Whether what comes now is to be recorded.
        var pause: RecordingPause
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
        /// Where each sink may write.
        var places: [[SinkPlace]] = []
        /// Where its files are while it runs, once that was made.
        var partial: PartialRecording?
        /// Its files, synced and measured, once that was done.
        var sealed: SealedRecording?
    }

    /// Whether a sink's account has changed in a way that the manifest on disk shall have soon.
    private final class News: Sendable {
        let isThere = Atomic(false)
    }

    package let id: RecordingID
    /// The shape of the call's audio.
    package let format: AudioFormat
    /// The time of day during the call. It started when the call's audio began.
    let clock: CallClock

    /// When the call's audio began.
    var startedAt: Date { clock.start }

    /// A logger that carries the call's identifier.
    package let logger: Logger

    let environment: Environment
    /// Which calls are read together with this one.
    let group: Int?
    let fanout: Fanout
    /// What each sink has of the call so far.
    let accounts: [LiveAccount]
    private let news: News
    let state: Mutex<State>
    /// Rings when `run` has something to look at.
    let bell = Bell()
    /// Asks the door to end the call; nil where there is none.
    private let onStop: (@Sendable (String) -> Void)?
    /// Asks the door to say when nothing is left to read that has come before; nil where nothing can be left.
    private let onDrain: (@Sendable () -> Void)?

    /// Makes a session. Audio may be pushed at once; it waits in the sinks' queues until ``run()`` has opened them. Touches no disk.
    /// - Parameters:
    ///   - group: which calls are read together with this one; nil is none.
    ///   - mayHold: whether the audio waits for a sink as long as that makes progress, as a file can and a live call cannot.
    ///   - onRoom: called, from any thread, when there is room again after ``receive(_:)`` returned false.
    ///   - onStop: called, from any thread, when the call shall be ended because of a sink, with the reason.
    ///   - onDrain: called, from any thread, when ``noteDrained()`` is wanted, once what has come by then is read.
    init(
        call: CallFacts, format: AudioFormat, group: Int? = nil, mayHold: Bool = false, environment: Environment,
        onRoom: @escaping @Sendable () -> Void, onStop: (@Sendable (String) -> Void)? = nil, onDrain: (@Sendable () -> Void)? = nil
    ) {
        id = RecordingID()
        self.format = format
        self.group = group
        self.environment = environment
        self.onStop = onStop
        self.onDrain = onDrain
        let clock = CallClock()
        self.clock = clock
        let startedAt = clock.start
        let plans = environment.plans, store = environment.store
        var logger = environment.logger
        logger[metadataKey: "call.id"] = "\(id)"
        self.logger = logger
        fanout = Fanout(plans: plans, format: format, mayHold: mayHold, onRoom: onRoom)
        let news = News()
        self.news = news
        accounts = plans.map { _ in LiveAccount { news.isThere.store(true, ordering: .relaxed) } }
        var manifest = Recording(
            id: id, name: store.template.name(id: id, call: call, startedAt: startedAt), call: call, format: format,
            startedAt: startedAt,
            sinks: plans.enumerated().map { index, plan in
                let directories = environment.storage.places(of: index).compactMap(\.root)
                var sink = Recording.Sink(
                    type: plan.type, name: plan.name, state: .recording, directories: directories.isEmpty ? nil : directories)
                let shape = plan.envelope.format(of: format)
                sink.format = shape == format ? nil : shape
                sink.onPause = plan.envelope.onPause == .silence ? nil : plan.envelope.onPause
                return sink
            })
        manifest.partName = store.template.partName(id: id, call: call, startedAt: startedAt)
        state = Mutex(
            State(
                manifest: manifest, reports: plans.map { _ in nil }, pause: RecordingPause(guard: environment.pauseGuard, format: format),
                eventLimit: environment.eventLimit))
    }

    /// The call as it stands.
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
            framesReceived: manifest.framesReceived, isPaused: pause.isMasking, isResuming: pause.isResuming, maskedFrom: pause.maskedFrom,
            clearFrom: pause.earliestClear(received: manifest.framesReceived) ?? pause.clearFrom, sinks: sinks)
    }

    // MARK: - What the door calls

    /// Adds audio, interleaved by channel in whole frames. Returns false when no more should be read for now.
    package func receive(_ samples: [Int16]) -> Bool {
        // A chunk of nothing would take a place in every queue.
        if samples.isEmpty { return true }
        let hasRoom: Bool? = state.withLock { state in
            guard !state.hasEnded else { return nil }
            let start = state.manifest.framesReceived, count = samples.count / format.channels
            // Under the lock, so that no end of the call and no pause comes between counting a frame and queueing it.
            let hasRoom = push(samples, &state)
            state.manifest.framesReceived = start + count
            metrics.all.framesReceived.increment(by: count)
            return hasRoom
        }
        guard let hasRoom else {
            logger.warning("audio after the end of the call is refused", metadata: ["samples": "\(samples.count)"])
            return true
        }
        return hasRoom
    }

    /// Gives audio to the sinks, masked or not. A chunk in which a pause ends is cut there. The lock is held.
    private func push(_ samples: [Int16], _ state: inout State) -> Bool {
        let start = state.manifest.framesReceived, count = samples.count / format.channels
        let cut = state.pause.cut(start: start, count: count, now: .now)
        let chunk = PCMChunk(samples: samples, format: format, start: FramePosition(start), isPaused: cut.masked > 0)
        guard let clearFrom = cut.clearFrom else { return fanout.push(chunk) }
        state.noteResumed(at: clearFrom, clock.now)
        guard cut.masked > 0 else { return fanout.push(chunk) }
        let hasRoom = fanout.push(chunk.prefix(cut.masked))
        let rest = chunk.dropFirst(cut.masked)
        return fanout.push(PCMChunk(samples: rest.samples, format: format, start: rest.start)) && hasRoom
    }

    /// Keeps an event at the place that the audio has reached.
    package func note(_ type: String, data: [String: JSONValue]) {
        _ = take(Recording.Event(frame: .start, at: clock.now, type: type, data: data), facts: nil)
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
            if state.hides(event, isLate: facts != nil) {
                state.manifest.maskedEvents = (state.manifest.maskedEvents ?? 0) + 1
                metrics.all.maskedEvents.increment()
                return nil
            }
            if facts != nil, state.manifest.events.contains(where: { $0.type == event.type && $0.data == event.data }) { return nil }
            var event = event
            event.frame = FramePosition(state.manifest.framesReceived)
            if !state.append(event) { metrics.all.droppedEvents.increment() }
            return nil
        }
        return published
    }

    /// Pauses the recording from the next frame on, or has it go on as soon as that is safe: what each sink gets meanwhile, its entry
    /// in the configuration says. The manifest has both as events, each at its frame.
    /// - Returns: false when the call is over, or that was so already.
    @discardableResult
    package func pause(_ isPaused: Bool) -> Bool {
        isPaused ? pause() : resume()
    }

    private func pause() -> Bool {
        let change = state.withLock { state -> Bool? in
            guard !state.hasEnded, !state.pause.isMasking || state.pause.isResuming else { return nil }
            let frame = state.manifest.framesReceived
            guard state.pause.pause(at: frame) else { return false }
            // Not through `append`: whatever a carrier has said, where the audio is missing is in the manifest.
            state.manifest.events.append(.init(frame: FramePosition(frame), at: clock.now, type: Recording.Event.paused, data: [:]))
            state.isUnsaved = true
            return true
        }
        guard let change else { return false }
        let exceptions = plans.filter { $0.envelope.onPause == .record }.map(\.name)
        var facts: Logger.Metadata = [:]
        if !exceptions.isEmpty { facts["sinks.recording"] = "\(exceptions.joined(separator: ", "))" }
        logger.notice(change ? "the recording is paused" : "the recording stays paused", metadata: facts)
        return true
    }

    private func resume() -> Bool {
        let isNew = state.withLock { state in
            guard !state.hasEnded, state.pause.isMasking, !state.pause.isResuming else { return false }
            let received = state.manifest.framesReceived
            state.pause.resume(received: received, now: .now, isDrained: onDrain == nil)
            if state.pause.endWithoutGuard(received: received, now: .now) { state.noteResumed(at: received, clock.now) }
            return true
        }
        if isNew {
            logger.notice("the recording goes on")
            onDrain?()
        }
        return isNew
    }

    /// Everything was read and handed in that had come when it was last asked for. The door calls this.
    package func noteDrained() {
        state.withLock { state in
            let received = state.manifest.framesReceived
            state.pause.drained(received: received)
            if state.pause.endWithoutGuard(received: received, now: .now) { state.noteResumed(at: received, clock.now) }
        }
    }

    /// Counts a message that could not be understood. The first one is logged.
    package func noteMalformed(_ reason: String) {
        let (count, isPaused) = state.withLock { state in
            state.manifest.malformedMessages += 1
            return (state.manifest.malformedMessages, state.pause.isMasking)
        }
        metrics.all.malformedMessages.increment()
        // A digit that came in a form which was not understood is a digit all the same.
        let reason = isPaused ? "it came while the recording was paused" : reason
        if count == 1 { logger.warning("a message was not understood; further ones are only counted", metadata: ["reason": "\(reason)"]) }
    }

    /// Ends the call. The first reason stands. `leftoverBytes` is how many at the end never became a whole frame.
    package func end(_ reason: String, leftoverBytes: Int = 0) {
        let isFirst = state.withLock { state in
            guard !state.hasEnded else { return false }
            state.hasEnded = true
            state.manifest.endedAt = clock.now
            if state.pause.isResuming { state.noteResumed(at: state.manifest.framesReceived, clock.now) }
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

    /// Says in metrics and log that a sink was left behind, or is back. A sink that goes on and off is told of ever more rarely.
    private func report(_ pulse: ChunkQueue.Pulse, of index: Int) {
        guard pulse.stall != nil || pulse.hasReturned else { return }
        let (held, stalls) = fanout.queues[index].holds
        let isTold = stalls & (stalls - 1) == 0
        var facts: Logger.Metadata = ["sink.name": "\(plans[index].name)", "stalls": "\(stalls)", "held.seconds": "\(Int(held.rounded()))"]
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

    /// Whether a sink does not keep up with the call.
    func isBehind(_ index: Int) -> Bool { fanout.queues[index].isLagging || fanout.queues[index].isStalled }

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
    /// Keeps that the recording goes on at a frame.
    fileprivate mutating func noteResumed(at frame: Int, _ date: Date) {
        manifest.events.append(.init(frame: FramePosition(frame), at: date, type: Recording.Event.resumed, data: [:]))
        isUnsaved = true
    }

    /// Whether an event tells what a caller typed or said while the recording was paused.
    /// - Parameter isLate: whether it came beside the audio, and so perhaps a while after what it tells of.
    fileprivate func hides(_ event: Recording.Event, isLate: Bool) -> Bool {
        guard pause.isMasking || pause.clearAt != nil, event.tellsEntry else { return false }
        if pause.isMasking { return true }
        guard isLate, let clearAt = pause.clearAt else { return false }
        return ContinuousClock.now - clearAt < .seconds(Recording.Event.lateEntry)
    }

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
