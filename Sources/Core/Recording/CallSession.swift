public import Foundation
public import Logging
import Synchronization

/// One call from its first frame to its published files.
///
/// The door pushes audio and events in from one thread and never waits. ``run()`` drives the rest, from the first
/// manifest to the last, and returns when the recording is published. Everything is counted in frames.
public final class CallSession: Sendable, Identifiable {
    /// Events that one recording keeps. Further ones are counted.
    public static let eventLimit = 10_000
    /// Bytes of one event's JSON. A larger one is counted, and not kept.
    public static let eventByteLimit = 4096
    /// Bytes of all events of one recording.
    public static let eventsByteLimit = 1 << 20
    /// Time between two saves of a running call's manifest for the sake of events.
    static let saveInterval = Duration.seconds(1)

    /// A call as lists of live calls show it.
    public struct Snapshot: Sendable {
        public let id: RecordingID
        public let call: CallFacts
        public let format: AudioFormat
        public let startedAt: Date
        public let framesReceived: Int
        /// For each sink: entry name, type, and how it is doing.
        public let sinks: [(name: String, type: String, state: Recording.SinkState)]
    }

    fileprivate struct State {
        var manifest: Recording
        /// What the workers reported, by sink.
        var reports: [SinkReport?]
        /// Sinks that were given up after the call's end.
        var abandoned: Set<Int> = []
        var hasEnded = false
        /// The manifest on disk does not say what this one says.
        var isUnsaved = false
        /// When the manifest may be saved again: events come in floods, and each save writes all of them.
        var nextSave = ContinuousClock.now
        /// Bytes of the events that are kept.
        var eventBytes = 0
        /// The recording as it was published; what comes now is not this session's any more.
        var published: Recording?
    }

    public let id: RecordingID
    /// The shape of the call's audio.
    public let format: AudioFormat
    /// When the call's audio began.
    let startedAt: Date
    /// A logger that carries the call's identifier.
    public let logger: Logger

    private let plans: [SinkPlan]
    private let store: RecordingStore
    private let ledger: BlockingExecutor
    private let fanout: Fanout
    private let state: Mutex<State>
    /// Rings when `run` has something to look at.
    private let bell = Bell()

    /// Makes a session. Audio may be pushed at once; it waits in the sinks' queues until ``run()`` has opened them.
    /// - Parameter onRoom: called, from any thread, when there is room again after ``receive(_:)`` returned false.
    init(
        call: CallFacts, format: AudioFormat, plans: [SinkPlan], store: RecordingStore, ledger: BlockingExecutor,
        logger: Logger, onRoom: @escaping @Sendable () -> Void
    ) {
        id = RecordingID()
        self.format = format
        self.plans = plans
        self.store = store
        self.ledger = ledger
        startedAt = Date()
        var logger = logger
        logger[metadataKey: "call.id"] = "\(id)"
        self.logger = logger
        fanout = Fanout(plans: plans, format: format, onRoom: onRoom)
        let manifest = Recording(
            id: id, name: store.template.name(id: id, call: call, startedAt: startedAt), call: call, format: format,
            startedAt: startedAt, sinks: plans.map { Recording.Sink(type: $0.type, name: $0.name, state: .recording) })
        state = Mutex(State(manifest: manifest, reports: plans.map { _ in nil }))
    }

    /// The call as it stands.
    public var snapshot: Snapshot {
        let (manifest, reports) = state.withLock { ($0.manifest, $0.reports) }
        let sinks = plans.indices.map { index in
            let state: Recording.SinkState =
                if let report = reports[index] { report.error == nil ? .complete : .failed } else {
                    fanout.queues[index].isStalled ? .stalled : .recording
                }
            return (name: plans[index].name, type: plans[index].type, state: state)
        }
        return Snapshot(
            id: id, call: manifest.call, format: format, startedAt: manifest.startedAt,
            framesReceived: manifest.framesReceived, sinks: sinks)
    }

    // MARK: - What the door calls

    /// Adds audio, interleaved by channel in whole frames. Returns false when no more should be read for now.
    public func receive(_ samples: [Int16]) -> Bool {
        // A chunk of nothing would take a place in every queue.
        if samples.isEmpty { return true }
        let hasRoom: Bool? = state.withLock { state in
            guard !state.hasEnded else { return nil }
            let chunk = PCMChunk(samples: samples, format: format, start: FramePosition(state.manifest.framesReceived))
            state.manifest.framesReceived += chunk.frameCount
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
    public func note(_ type: String, data: [String: JSONValue]) {
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
            state.append(event)
            return nil
        }
        return published
    }

    /// Counts a message that could not be understood. The first one is logged.
    public func noteMalformed(_ reason: String) {
        let count = state.withLock { state in
            state.manifest.malformedMessages += 1
            return state.manifest.malformedMessages
        }
        if count == 1 { logger.warning("a message was not understood; further ones are only counted", metadata: ["reason": "\(reason)"]) }
    }

    /// Ends the call. The first reason stands.
    /// - Parameter leftoverBytes: bytes at the end that never became a whole frame.
    public func end(_ reason: String, leftoverBytes: Int = 0) {
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

    /// What is known of the call.
    var facts: CallFacts { state.withLock { $0.manifest.call } }

    /// Looks at the clock; the heartbeat calls this a few times a second.
    func tick(now: ContinuousClock.Instant) {
        for (index, queue) in fanout.queues.enumerated() {
            let pulse = queue.tick(now: now)
            if pulse.stalledNow {
                logger.error("a sink does not keep up and is left behind", metadata: ["sink.name": "\(plans[index].name)"])
            }
            if pulse.isLost {
                let isNew = state.withLock { $0.reports[index] == nil && $0.abandoned.insert(index).inserted }
                if isNew { bell.ring() }
            }
        }
        if state.withLock({ $0.isUnsaved && now >= $0.nextSave }) { bell.ring() }
    }

    /// A sink has made a file: the manifest on disk must say so at once, or nobody knows whose it is after a crash.
    private func saveNow() {
        state.withLock {
            $0.isUnsaved = true
            $0.nextSave = .now
        }
        bell.ring()
    }

    // MARK: - The life of a call

    /// Opens the sinks, waits for the call's end, finishes the sinks and publishes the recording.
    ///
    /// Call it once. It returns the manifest as published; an error says why nothing could be recorded, or why what
    /// was recorded still stands in the partial directory.
    public func run() async throws(RecordingError) -> Recording {
        let started = state.withLock { $0.manifest }
        logger.info(
            "call started", metadata: ["call.from": "\(started.call.from ?? "unknown")", "format": "\(format)", "recording": "\(started.name)"])
        let partial: PartialRecording
        do {
            partial = try await ledger.run { [store] () throws(RecordingError) in try store.begin(started) }
        } catch {
            for queue in fanout.queues { queue.fail() }
            end("nothing could be recorded")
            logger.error("call not recorded", metadata: ["reason": "\(error)"])
            throw error
        }
        let contexts = makeContexts(started, partial)
        for index in plans.indices { startWorker(index, contexts[index]) }
        await withTaskCancellationHandler {
            await waitForEnd(contexts, partial)
        } onCancel: {
            end("the recorder was stopped")
        }
        return try await publish(contexts, partial)
    }

    private func makeContexts(_ manifest: Recording, _ partial: PartialRecording) -> [SinkContext] {
        plans.map { plan in
            var logger = logger
            logger[metadataKey: "sink.name"] = "\(plan.name)"
            logger[metadataKey: "sink.type"] = "\(plan.type)"
            return SinkContext(
                recordingID: id, call: manifest.call, startedAt: manifest.startedAt, format: format, sinkName: plan.name,
                directory: partial.directory, fileStem: plan.isFirstOfType ? partial.stem : "\(partial.stem).\(plan.name)",
                fileMode: store.fileMode, logger: logger, onCreate: { [self] in saveNow() })
        }
    }

    /// Starts a sink on its own threads.
    ///
    /// The task is not a child of ours on purpose: a sink that blocks for ever can be neither cancelled nor awaited,
    /// and the recording must be published without it. It ends with its sink, or with the process.
    private func startWorker(_ index: Int, _ context: SinkContext) {
        let plan = plans[index], queue = fanout.queues[index]
        Task(executorPreference: plan.executor) { [self] in
            let report = await plan.runner.run(context, queue)
            if let error = report.error {
                context.logger.error("sink failed", metadata: ["reason": "\(error)", "blame": "\(error.blame.rawValue)"])
            }
            state.withLock { $0.reports[index] = report }
            bell.ring()
        }
    }

    /// Keeps the manifest on disk current until the call has ended and every sink has reported or was given up.
    private func waitForEnd(_ contexts: [SinkContext], _ partial: PartialRecording) async {
        while true {
            await bell.wait()
            let (manifest, isDone) = state.withLock { state -> (Recording?, Bool) in
                let isDone = state.hasEnded && state.reports.indices.allSatisfy { state.reports[$0] != nil || state.abandoned.contains($0) }
                guard state.isUnsaved, .now >= state.nextSave else { return (nil, isDone) }
                state.isUnsaved = false
                state.nextSave = .now + Self.saveInterval
                return (state.manifest, isDone)
            }
            if isDone { return }
            if var manifest {
                // Where the program dies, this is how the next one knows whose files these are.
                for (index, context) in contexts.enumerated() {
                    manifest.sinks[index].files = context.createdFiles.map { Recording.File(name: $0, bytes: 0) }
                }
                let manifest = manifest
                do {
                    try await ledger.run { [store] () throws(RecordingError) in try store.save(manifest, in: partial) }
                } catch {
                    logger.error("the manifest of a running call could not be saved", metadata: ["reason": "\(error)"])
                }
            }
        }
    }

    /// Publishes the recording. A disk that refuses is asked again a few times; after that the files stay where they are.
    private func publish(_ contexts: [SinkContext], _ partial: PartialRecording) async throws(RecordingError) -> Recording {
        let (manifest, reports) = state.withLock { state in (settled(state), state.reports) }
        // A sink that was given up may still write: its files stay where they are, and the next start looks at them.
        let files = contexts.indices.map { reports[$0] == nil ? [] : contexts[$0].createdFiles }
        let abandoned = reports.contains { $0 == nil }
        let frames = reports.map { $0?.receipt?.framesByFile ?? [:] }
        let sealed = await ledger.run { [store] in store.seal(manifest, files: files, framesByFile: frames, in: partial) }
        var attempt = 1
        while true {
            do {
                let published = try await ledger.run { [store] () throws(RecordingError) in
                    try store.publish(sealed, from: partial, keepPartial: abandoned)
                }
                logger.info(
                    "call recorded",
                    metadata: [
                        "recording": "\(published.name)", "frames": "\(published.framesReceived)", "end": "\(published.endReason ?? "")",
                        "sinks": "\(published.sinks.map { "\($0.name) \($0.state.rawValue)" }.joined(separator: ", "))",
                    ])
                return await complete(published)
            } catch {
                logger.error("publishing failed", metadata: ["reason": "\(error)", "attempt": "\(attempt)", "files": "\(partial.directory)"])
                guard attempt < 3 else { throw error }
                attempt += 1
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Adds to the published manifest what was said of the call while it was being published, until nothing is left that
    /// it does not say. From then on, what is said belongs to the published recording.
    private func complete(_ published: Recording) async -> Recording {
        var published = published
        while true {
            let known = published
            let more = state.withLock { state -> Recording? in
                var next = known
                next.events = state.manifest.events
                next.droppedEvents = state.manifest.droppedEvents
                next.call = state.manifest.call
                if next.events == known.events, next.droppedEvents == known.droppedEvents, next.call == known.call {
                    state.published = known
                    return nil
                }
                return next
            }
            guard let more else { return published }
            do {
                try await ledger.run { [store] () throws(RecordingError) in try store.update(more) }
            } catch {
                logger.error("events came too late to be kept", metadata: ["recording": "\(more.name)", "reason": "\(error)"])
            }
            published = more
        }
    }

    /// The manifest with every sink's account closed.
    private func settled(_ state: borrowing State) -> Recording {
        var manifest = state.manifest
        for index in plans.indices {
            let report = state.reports[index] ?? SinkReport()
            manifest.sinks[index].written = report.written
            manifest.sinks[index].silence = report.silence
            manifest.sinks[index].lost = manifest.framesReceived - report.written - report.silence
            manifest.sinks[index].details = report.receipt.flatMap { $0.details.isEmpty ? nil : $0.details }
            if state.reports[index] == nil {
                manifest.sinks[index].state = .stalled
                manifest.sinks[index].error = "the sink did not come to an end in time; frames that it took are not known and are counted as lost"
                manifest.sinks[index].blame = .destination
            } else {
                manifest.sinks[index].state = report.error == nil ? .complete : .failed
                manifest.sinks[index].error = report.error?.description
                manifest.sinks[index].blame = report.error?.blame
            }
        }
        return manifest
    }
}

extension CallSession.State {
    /// Adds an event, or counts it when there are too many or it is too large.
    fileprivate mutating func append(_ event: Recording.Event) {
        let bytes = JSONValue.object(event.data).json().utf8.count
        guard manifest.events.count < CallSession.eventLimit, bytes <= CallSession.eventByteLimit,
            eventBytes + bytes <= CallSession.eventsByteLimit
        else { return manifest.droppedEvents += 1 }
        eventBytes += bytes
        manifest.events.append(event)
    }
}
