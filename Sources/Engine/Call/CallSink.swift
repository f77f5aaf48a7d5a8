import CallreelCore
import CoreMetrics
import Logging
import Synchronization

/// One sink in one call: its queue, its places, its account, and in the end its report.
final class CallSink: Sendable {
    private struct State {
        /// The places that the sink may write to: its directory, then its fallback. Empty until the sink is opened.
        var places: [SinkPlace] = []
        /// The worker's report; nil until the worker is done.
        var report: SinkReport?
        /// The call goes on without the worker's report.
        var isAbandoned = false
    }

    /// The entry of the configuration, shared by all calls.
    let station: SinkStation
    /// The sink's position in the ledger and in the manifest.
    let index: Int
    let queue: ChunkQueue
    /// The account so far.
    let account: LiveAccount
    /// The shape of the call's audio.
    private let format: AudioFormat
    /// The group of calls read together with this one. Nil for a call by itself.
    private let group: Int?
    private let saves: SaveSchedule
    private let state = Mutex(State())

    /// Makes a sink of a call. The call may push audio at once: it waits in the queue until the sink is opened.
    init(_ station: SinkStation, index: Int, of call: CallStart, source: any CallSource, saves: SaveSchedule) {
        self.station = station
        self.index = index
        self.saves = saves
        format = call.format
        group = call.group
        queue = ChunkQueue(envelope: station.plan.envelope, format: call.format, mayHold: call.mayHold) {
            source.roomForMore()
        }
        account = LiveAccount { saves.note() }
    }

    var plan: SinkPlan { station.plan }
    var name: String { plan.name }
    /// The shape of the sink's audio.
    var shape: AudioFormat { plan.envelope.format(of: format) }

    // MARK: - Work

    /// Opens the sink on one of its threads.
    ///
    /// No task awaits the sink. A blocked sink can be neither cancelled nor awaited, and the recording must be
    /// published without it. The sink ends by itself, or with the process.
    /// - Parameters:
    ///   - stem: the beginning of the names of the call's files.
    ///   - call: the call, which keeps the sink's events.
    ///   - onReport: called once, after the sink has reported.
    func start(
        _ recording: RecordingFacts, stem: String, fileMode: Int, of call: CallSession,
        onReport: @escaping @Sendable (SinkReport) -> Void
    ) {
        let logger = call.logger
        let places = places(of: recording, stem: stem, fileMode: fileMode, call)
        state.withLock { $0.places = places }
        let job = SinkJob(
            station: station, places: places, queue: queue, account: account, format: format, group: group)
        let start = SinkStart(job: job) { [self] report in
            if !report.isFinished, let error = report.error {
                logger.error(
                    "sink failed",
                    metadata: ["sink.name": "\(name)", "reason": "\(error)", "blame": "\(error.blame.rawValue)"])
            }
            state.withLock { $0.report = report }
            onReport(report)
        }
        plan.sink.accept(start)
    }

    private func places(of recording: RecordingFacts, stem: String, fileMode: Int, _ call: CallSession) -> [SinkPlace] {
        var observer = SinkObserver()
        observer.onCreate = { [saves] in saves.demand() }
        // Weak, because the call holds its sinks.
        observer.onEvent = { [weak call, weak self] type, frame, data in
            if let self { call?.take(type, at: frame, data: data, from: self) }
        }
        observer.onMeasurement = { [station] in station.note($0) }
        var logger = call.logger
        logger[metadataKey: "sink.name"] = "\(name)"
        logger[metadataKey: "sink.type"] = "\(plan.type)"
        let places = station.places
        return places.enumerated().map { number, place in
            // The names differ in the fallback, because both places may be on one file system.
            var directory = SinkDirectory(
                path: RecordingLayout.partialDirectory(of: recording.id, in: place.directory.path),
                fileStem: stem + plan.fileMark(isFallback: number > 0), fileMode: fileMode)
            directory.root = place.root
            let context = SinkContext(
                recording: recording, format: shape, sinkName: name, directory: directory, logger: logger,
                observer: observer)
            let isLast = number + 1 == places.count
            return SinkPlace(context, guardian: DirectoryGuardian(place.directory, isLast: isLast))
        }
    }

    /// Checks the sink's time limits, and reports in metrics and log that it has stalled or recovered.
    /// - Returns: true if the sink was given up now, because it did not come to its end in time.
    func tick(now: ContinuousClock.Instant, logger: Logger) -> Bool {
        let pulse = queue.tick(now: now)
        countDrops()
        if pulse.held > 0 { station.metrics.held.increment(by: pulse.held) }
        report(pulse, logger)
        guard pulse.isLost else { return false }
        return state.withLock { state in
            guard state.report == nil, !state.isAbandoned else { return false }
            state.isAbandoned = true
            return true
        }
    }

    /// The log shows only the 1st, 2nd, 4th, 8th stall and so on, and the recovery after each.
    private func report(_ pulse: ChunkQueue.Pulse, _ logger: Logger) {
        guard pulse.stall != nil || pulse.hasReturned else { return }
        let (held, stalls) = queue.holds
        let isTold = stalls & (stalls - 1) == 0
        var facts: Logger.Metadata = [
            "sink.name": "\(name)", "stalls": "\(stalls)", "held.seconds": "\(Int(held.rounded()))",
        ]
        if let stall = pulse.stall {
            station.metrics.stalls.increment()
            facts["reason"] = "\(stall.rawValue)"
            if isTold { logger.error("sink stalled: dropping its audio until it recovers", metadata: facts) }
        }
        if pulse.hasReturned, isTold {
            facts["frames.dropped"] = "\(queue.droppedFrames)"
            logger.notice("sink recovered", metadata: facts)
        }
    }

    /// Adds the frames dropped by the queue since the last count to the metrics.
    func countDrops() { station.metrics.dropped.increment(by: queue.takeNewDrops()) }

    // MARK: - State

    /// The worker's report; nil until the worker is done.
    var report: SinkReport? { state.withLock { $0.report } }

    /// The sink has reported or was given up, so the call's publication does not wait for it.
    var isOver: Bool { state.withLock { $0.report != nil || $0.isAbandoned } }

    /// The sink is lagging or stalled.
    var isBehind: Bool { queue.isLagging || queue.isStalled }

    /// Seconds of audio queued for the sink.
    var queuedSeconds: Double { format.seconds(frames: queue.queuedFrames) }

    /// The sink receives audio even while the recording is paused.
    var recordsPauses: Bool { plan.envelope.onPause == .record }

    /// The sink's status for lists of running calls.
    var status: SinkStatus {
        let state: SinkStatus.State =
            if let report { report.isFinished ? .complete : .failed } else {
                queue.isStalled ? .stalled : queue.isLagging ? .lagging : .recording
            }
        return SinkStatus(
            name: name, type: plan.type, state: state, heldSeconds: queue.holds.seconds, recordsPauses: recordsPauses)
    }

    // MARK: - Ledger

    /// The sink's first entry in the ledger.
    var entry: CallLedger.Sink {
        let directories = station.places.compactMap(\.root)
        var entry = CallLedger.Sink(
            type: plan.type, name: name, directories: directories.isEmpty ? nil : directories)
        entry.format = shape == format ? nil : shape
        entry.onPause = plan.envelope.onPause == .silence ? nil : plan.envelope.onPause
        entry.filters = plan.filters.isEmpty ? nil : plan.filters.map(\.json)
        return entry
    }

    /// Enters the files made so far. After a crash, the next program assigns each file to its sink by these entries.
    func enterFiles(in ledger: inout CallLedger) {
        ledger.sinks[index].files = state.withLock { $0.places }.flatMap(\.files).map {
            CallLedger.File(name: $0.name, directory: $0.root, bytes: 0, start: $0.start.map(FramePosition.init))
        }
    }

    /// Enters the account so far.
    func enterAccount(in ledger: inout CallLedger) { ledger.sinks[index].take(account.tally) }

    /// Settles the sink's entry in the ledger of an ended call.
    /// - Parameter report: the worker's report; nil for an abandoned sink. Its frames count as lost.
    func settle(_ ledger: inout CallLedger, _ report: SinkReport?) {
        ledger.settle(index, report?.account ?? SinkAccount())
        var entry = ledger.sinks[index]
        let (held, stalls) = queue.holds, milliseconds = (held * 1000).rounded()
        entry.stalls = stalls == 0 ? nil : stalls
        entry.heldSeconds = milliseconds == 0 ? nil : milliseconds / 1000
        if let report {
            let isComplete = report.isFinished && entry.lost == 0 && report.miscount == nil
            entry.state = .ended(
                !isComplete ? .failed : ledger.framesReceived == 0 ? .empty : .complete)
            entry.details = report.details.isEmpty ? nil : report.details
            entry.error = report.error?.description
            entry.blame = report.error?.blame
        } else {
            entry.state = .ended(.stalled)
            entry.details = nil
            entry.error =
                "the sink did not finish in time; its frames are unknown and count as lost"
            entry.blame = .destination
        }
        ledger.sinks[index] = entry
    }

    /// Adds the sink's part of a published call to the metrics.
    func count(_ published: Recording) {
        station.metrics.settle(published.sinks[index])
        countDrops()
    }
}

extension [CallSink] {
    /// Adds a chunk to the queue of every sink. The chunk is shared, not copied.
    /// - Returns: true if all of them have room for more.
    func push(_ chunk: PCMChunk) -> Bool {
        var hasRoom = true
        for sink in self where !sink.queue.push(chunk) { hasRoom = false }
        return hasRoom
    }

    /// Adds an event to the queue of every sink.
    func push(_ event: CallEvent) { for sink in self { sink.queue.push(event) } }
}
