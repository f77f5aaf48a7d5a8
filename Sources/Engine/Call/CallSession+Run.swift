import CallreelCore
import CoreMetrics
import Foundation
import Logging
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

// The course of a call: its manifest, its sinks, its publication.
extension CallSession {
    /// Opens the sinks, waits for the call's end, finishes the sinks and publishes the recording.
    ///
    /// Call it once.
    /// - Returns: the published manifest.
    /// - Throws: the reason nothing could be recorded, or the reason the files are still in the partial directory.
    func run() async throws(DiskError) -> Recording {
        let started = state.withLock { $0.manifest }
        logger.info(
            "call started",
            metadata: [
                "call.from": "\(started.call.from ?? "unknown")", "format": "\(format)", "recording": "\(started.name)",
            ])
        let partial: PartialRecording
        do {
            partial = try await home.run(on: ledger) { [store] () throws(DiskError) in try store.begin(started) }
            state.withLock { $0.partial = partial }
        } catch {
            for queue in fanout.queues { queue.fail() }
            end("nothing could be recorded")
            logger.error("call not recorded", metadata: ["reason": "\(error)"])
            throw error
        }
        let places = makePlaces(started, partial)
        state.withLock { $0.places = places }
        for index in plans.indices { startWorker(index, places[index]) }
        await waitForEnd(places, partial)
        return try await publish()
    }

    /// Creates the places of each sink: its directory, then its fallback.
    private func makePlaces(_ manifest: Recording, _ partial: PartialRecording) -> [[SinkPlace]] {
        plans.enumerated().map { index, plan in
            var logger = logger
            logger[metadataKey: "sink.name"] = "\(plan.name)"
            logger[metadataKey: "sink.type"] = "\(plan.type)"
            let places = environment.storage.places(of: index)
            return places.enumerated().map { number, place in
                var directory = SinkDirectory(
                    path: RecordingLayout.partialDirectory(of: id, in: place.directory.path),
                    fileStem: stem(plan, partial, number), fileMode: store.fileMode)
                directory.root = place.root
                let context = SinkContext(
                    recording: RecordingFacts(id: id, call: manifest.call, startedAt: manifest.startedAt),
                    format: plan.envelope.format(of: format), sinkName: plan.name, directory: directory, logger: logger,
                    onCreate: { [self] in saveNow() })
                let isLast = number + 1 == places.count
                return SinkPlace(context, guardian: DirectoryGuardian(place.directory, isLast: isLast))
            }
        }
    }

    /// Returns the beginning of a sink's file names. It differs in the fallback,
    /// because both places may be on one file system.
    private func stem(_ plan: SinkPlan, _ partial: PartialRecording, _ place: Int) -> String {
        partial.stem + plan.fileMark(isFallback: place > 0)
    }

    /// Starts a sink on one of its threads.
    ///
    /// The sink's report wakes ``run()``, but no task awaits the sink. A blocked sink can be neither cancelled
    /// nor awaited, and the recording must be published without it. The sink ends by itself, or with the process.
    private func startWorker(_ index: Int, _ places: [SinkPlace]) {
        let plan = plans[index]
        let job = SinkJob(
            places: places, queue: fanout.queues[index], envelope: plan.envelope, health: plan.health,
            metrics: metrics.sinks[index],
            account: accounts[index], format: format, rateConverter: plan.rateConverter, group: group)
        let start = SinkStart(job: job, threads: plan.threads) { [self] report in
            if !report.isFinished, let error = report.error {
                logger.error(
                    "sink failed",
                    metadata: ["sink.name": "\(plan.name)", "reason": "\(error)", "blame": "\(error.blame.rawValue)"])
            }
            state.withLock { $0.reports[index] = report }
            bell.ring()
            if report.isFinished { return }
            let reason = report.error.map { ": \($0)" } ?? ""
            if !report.hasOpened, plan.envelope.required {
                stop("the required sink \(plan.name) cannot be opened\(reason)")
            } else if report.hasOpened, plan.envelope.onError == .stopCall {
                stop("the sink \(plan.name) failed\(reason)")
            }
        }
        plan.runner.accept(start)
    }

    /// Keeps the manifest on disk current until the call has ended and every sink has reported or was abandoned.
    private func waitForEnd(_ places: [[SinkPlace]], _ partial: PartialRecording) async {
        var isFirst = true
        while true {
            await bell.wait()
            let (manifest, isDone, planned) = state.withLock { state -> (Recording?, Bool, ContinuousClock.Instant) in
                let isDone =
                    state.hasEnded
                    && state.reports.indices.allSatisfy { state.reports[$0] != nil || state.abandoned.contains($0) }
                guard state.isUnsaved, .now >= state.nextSave else { return (nil, isDone, state.nextSave) }
                state.isUnsaved = false
                state.nextSave = .now + Self.saveInterval
                return (state.manifest, isDone, state.nextSave)
            }
            if isDone { return }
            if var manifest {
                // After a crash, the next program assigns each file to its sink by these entries.
                for (index, places) in places.enumerated() {
                    manifest.sinks[index].files = places.flatMap(\.files).map {
                        Recording.File(
                            name: $0.name, directory: $0.root, bytes: 0, start: $0.start.map(FramePosition.init))
                    }
                    manifest.sinks[index].take(accounts[index].tally)
                }
                let last = manifest, isFirstSave = isFirst
                do {
                    let begin = ContinuousClock.now
                    try await home.run(on: ledger) { [store] () throws(DiskError) in
                        try store.save(last, in: partial, isFirst: isFirstSave)
                    }
                    isFirst = false
                    // Spare a slow disk: delay the next save for events by 20 times
                    // the duration of this one, at most 60 seconds.
                    let pause = (ContinuousClock.now - begin) * 20
                    // A file created during the save has requested an immediate save. Keep that request.
                    state.withLock {
                        if $0.nextSave == planned { $0.nextSave = max(planned, .now + min(pause, .seconds(60))) }
                    }
                } catch {
                    logger.error("the manifest of a running call could not be saved", metadata: ["reason": "\(error)"])
                    if error.isFullDisk { await ledger.run { [store] in store.spendReserve() } }
                    state.withLock { state in
                        state.isUnsaved = true
                        state.nextSave = .now + .seconds(10)
                    }
                }
            }
        }
    }

    /// Adds a published call to the metrics, and logs frames missing from its files.
    func count(_ recording: Recording) {
        metrics.all.callsRecorded.increment()
        for sink in recording.sinks where sink.lost + sink.silence > 0 {
            logger.error(
                "a sink does not have the whole call",
                metadata: [
                    "sink.name": "\(sink.name)", "frames.received": "\(recording.framesReceived)",
                    "frames.written": "\(sink.written)",
                    "frames.silenced": "\(sink.silence)", "frames.lost": "\(sink.lost)",
                ])
        }
        for (sink, counters) in zip(recording.sinks, metrics.sinks) { counters.settle(sink) }
        for index in plans.indices { countDrops(index) }
    }

    /// Returns the manifest with the final account of every sink.
    func settled(_ state: borrowing State) -> Recording {
        var manifest = state.manifest
        for index in plans.indices {
            let report = state.reports[index] ?? SinkReport()
            manifest.sinks[index].take(report.account.tally(received: manifest.framesReceived))
            let (held, stalls) = fanout.queues[index].holds
            manifest.sinks[index].stalls = stalls == 0 ? nil : stalls
            manifest.sinks[index].heldSeconds = held == 0 ? nil : (held * 1000).rounded() / 1000
            manifest.sinks[index].details = report.details.isEmpty ? nil : report.details
            if state.reports[index] == nil {
                manifest.sinks[index].state = .stalled
                manifest.sinks[index].error =
                    "the sink did not come to an end in time; frames that it took are not known and are counted as lost"
                manifest.sinks[index].blame = .destination
            } else {
                manifest.sinks[index].state =
                    report.isFinished && manifest.sinks[index].lost == 0 && report.miscount == nil ? .complete : .failed
                if manifest.framesReceived == 0, manifest.sinks[index].state == .complete {
                    manifest.sinks[index].state = .empty
                }
                manifest.sinks[index].error = report.error?.description
                manifest.sinks[index].blame = report.error?.blame
            }
        }
        return manifest
    }
}
