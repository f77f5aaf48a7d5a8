import CallreelCore
import CoreMetrics
import Foundation
import Logging
import Synchronization

// The course of a call: its ledger, its sinks, its publication.
extension CallSession {
    /// Opens the sinks, waits for the call's end, finishes the sinks and publishes the recording.
    ///
    /// Call it once.
    /// - Returns: the published manifest.
    /// - Throws: the reason the call could not be recorded, or the reason the files are still in the partial directory.
    func run() async throws(DiskError) -> Recording {
        let started = state.withLock { $0.ledger }
        logger.info(
            "call started",
            metadata: [
                "call.from": "\(started.call.from ?? "unknown")", "format": "\(format)", "recording": "\(started.name)",
            ])
        let partial: PartialRecording
        do {
            partial = try await home.run(on: writers) { [store] () throws(DiskError) in try store.begin(started) }
            state.withLock { $0.partial = partial }
        } catch {
            for sink in sinks { sink.queue.fail() }
            end("the call could not be recorded")
            logger.error("call not recorded", metadata: ["reason": "\(error)"])
            throw error
        }
        let recording = RecordingFacts(id: id, call: started.call, startedAt: started.startedAt)
        for sink in sinks {
            sink.start(recording, stem: partial.stem, fileMode: store.fileMode, of: self) { [self] report in
                take(report, of: sink)
            }
        }
        await waitForEnd(partial)
        return try await publish()
    }

    /// Handles a sink's report. It wakes ``run()``, and ends the call if the sink's entry says so.
    private func take(_ report: SinkReport, of sink: CallSink) {
        bell.ring()
        if report.isFinished { return }
        let reason = report.error.map { ": \($0)" } ?? ""
        if !report.hasOpened, sink.plan.envelope.required {
            stop("the required sink \(sink.name) cannot be opened\(reason)")
        } else if report.hasOpened, sink.plan.envelope.onError == .stopCall {
            stop("the sink \(sink.name) failed\(reason)")
        }
    }

    /// Keeps the ledger on disk current until the call has ended and every sink has reported or was abandoned.
    private func waitForEnd(_ partial: PartialRecording) async {
        var isFirst = true
        while true {
            await bell.wait()
            if state.withLock({ $0.hasEnded }), sinks.allSatisfy(\.isOver) { return }
            guard let next = saves.take() else { continue }
            var ledger = state.withLock { $0.ledger }
            for sink in sinks {
                sink.enterFiles(in: &ledger)
                sink.enterAccount(in: &ledger)
            }
            let last = ledger, isFirstSave = isFirst
            do {
                let begin = clock.moment
                try await home.run(on: writers) { [store] () throws(DiskError) in
                    try store.save(last, in: partial, isFirst: isFirstSave)
                }
                isFirst = false
                saves.spare(after: clock.moment - begin, planned: next)
            } catch {
                logger.error("could not save the manifest of a running call", metadata: ["reason": "\(error)"])
                if error.isFullDisk { await writers.run { [store] in store.spendReserve() } }
                saves.fail()
            }
        }
    }

    /// Adds a published call to the metrics, and logs frames missing from its files.
    func count(_ recording: Recording) {
        metrics.callsRecorded.increment()
        for sink in recording.sinks where sink.lost + sink.silence > 0 {
            logger.error(
                "sink output is incomplete",
                metadata: [
                    "sink.name": "\(sink.name)", "frames.received": "\(recording.framesReceived)",
                    "frames.written": "\(sink.written)",
                    "frames.silenced": "\(sink.silence)", "frames.lost": "\(sink.lost)",
                ])
        }
        for sink in sinks { sink.count(recording) }
    }
}
