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
    }

    public let id: RecordingID
    /// The shape of the call's audio.
    public let format: AudioFormat
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
        let startedAt = Date()
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
        let chunk: PCMChunk? = state.withLock { state in
            guard !state.hasEnded else { return nil }
            let chunk = PCMChunk(samples: samples, format: format, start: FramePosition(state.manifest.framesReceived))
            state.manifest.framesReceived += chunk.frameCount
            return chunk
        }
        guard let chunk else {
            logger.warning("audio after the end of the call is refused", metadata: ["samples": "\(samples.count)"])
            return true
        }
        return fanout.push(chunk)
    }

    /// Keeps an event at the place that the audio has reached.
    /// - Parameter once: leave it out when the very same event is kept already, because its sender repeats itself.
    public func note(_ type: String, data: [String: JSONValue], at date: Date = Date(), once: Bool = false) {
        change { state in
            if once, state.manifest.events.contains(where: { $0.type == type && $0.data == data }) { return }
            state.append(Recording.Event(frame: FramePosition(state.manifest.framesReceived), at: date, type: type, data: data))
        }
    }

    /// Adds facts about the call that were not known at its start.
    public func complete(with facts: CallFacts) {
        change { $0.manifest.call.complete(with: facts) }
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

    /// Whether these are the facts of this call.
    func matches(uuid: String?, conversation: String?) -> Bool {
        state.withLock { $0.manifest.call.matches(uuid: uuid, conversation: conversation) }
    }

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
    }

    private func change(_ body: (inout sending State) -> Void) {
        state.withLock {
            body(&$0)
            $0.isUnsaved = true
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
            await waitForEnd(partial)
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
                fileMode: store.fileMode, logger: logger)
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
    private func waitForEnd(_ partial: PartialRecording) async {
        while true {
            await bell.wait()
            let (manifest, isDone) = state.withLock { state in
                defer { state.isUnsaved = false }
                let isDone = state.hasEnded && state.reports.indices.allSatisfy { state.reports[$0] != nil || state.abandoned.contains($0) }
                return (state.isUnsaved ? state.manifest : nil, isDone)
            }
            if isDone { return }
            if let manifest {
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
        let (manifest, reports, abandoned) = state.withLock { state in
            (settled(state), state.reports, !state.abandoned.isEmpty)
        }
        let files = contexts.map(\.createdFiles)
        let frames = reports.map { $0?.receipt?.framesByFile ?? [:] }
        var attempt = 1
        while true {
            do {
                let published = try await ledger.run { [store] () throws(RecordingError) in
                    try store.publish(manifest, files: files, framesByFile: frames, from: partial, keepPartial: abandoned)
                }
                logger.info(
                    "call recorded",
                    metadata: [
                        "recording": "\(published.name)", "frames": "\(published.framesReceived)", "end": "\(published.endReason ?? "")",
                        "sinks": "\(published.sinks.map { "\($0.name) \($0.state.rawValue)" }.joined(separator: ", "))",
                    ])
                return published
            } catch {
                logger.error("publishing failed", metadata: ["reason": "\(error)", "attempt": "\(attempt)", "files": "\(partial.directory)"])
                guard attempt < 3 else { throw error }
                attempt += 1
                try? await Task.sleep(for: .seconds(1))
            }
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
    /// Adds an event, or counts it when there are too many.
    fileprivate mutating func append(_ event: Recording.Event) {
        if manifest.events.count < CallSession.eventLimit { manifest.events.append(event) } else { manifest.droppedEvents += 1 }
    }
}
