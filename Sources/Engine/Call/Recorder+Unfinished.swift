import CallreelCore
import CoreMetrics
import Foundation
import Logging
import Synchronization

extension Recorder {
    /// An ended call with work left for the recorder: its publication, or late files of a sink.
    struct Unfinished: Sendable {
        /// Time before the first attempt. It doubles with each failed attempt.
        static let firstPause = Duration.seconds(2)
        /// Longest time between two attempts.
        static let longestPause = Duration.seconds(60)

        let session: CallSession
        /// The facts by which events find the call.
        let facts: CallFacts
        /// True when the recording is published and only files of some sinks are to come.
        let isPublished: Bool
        /// Reason for the failure of the last attempt.
        var cause: String?
        var pause = Unfinished.firstPause
        var next = Clocks.current.now + Unfinished.firstPause

        /// Describes the work left for a call; nil if there is none.
        init?(_ session: CallSession, facts: CallFacts, _ result: Result<Recording, DiskError>) {
            self.session = session
            self.facts = facts
            switch result {
            case .success:
                if session.isSettled { return nil }
                isPublished = true
            case .failure(let error):
                // A call without a directory has recorded nothing.
                guard session.state.withLock({ $0.partial != nil }) else { return nil }
                isPublished = false
                cause = error.description
            }
        }

        /// Notes a failed attempt and schedules the next one.
        mutating func fail(_ reason: String, now: ContinuousClock.Instant) {
            cause = reason
            pause = min(pause * 2, Self.longestPause)
            next = now + pause
        }
    }

    /// The number of ended calls waiting for publication, and the reason for the earliest one; nil if there are none.
    var unpublished: (count: Int, cause: String)? {
        state.withLock { state in
            let waiting = state.unfinished.values.filter { !$0.isPublished }.sorted {
                $0.session.startedAt < $1.session.startedAt
            }
            return waiting.first.map { (waiting.count, $0.cause ?? "") }
        }
    }

    /// Retries the work left for ended calls, until the task is cancelled.
    func finishWaiting() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            let waiting = state.withLock { $0.unfinished }
            metrics.callsUnpublished.set(Int64(waiting.values.count { !$0.isPublished }))
            let now = Clocks.current.now
            for (id, call) in waiting where call.next <= now && !Task.isCancelled && storage.home.hang == nil {
                await attempt(id, call)
            }
        }
    }

    /// Attempts the work left for ended calls once more, before the program ends.
    func finishLast() async {
        for (id, call) in state.withLock({ $0.unfinished }) where storage.home.hang == nil { await attempt(id, call) }
        reportUnpublished()
    }

    /// Logs the number of recordings left unpublished, if any.
    func reportUnpublished() {
        let left = state.withLock { $0.unfinished.values.count { !$0.isPublished } }
        if left > 0 {
            logger.error(
                "recordings not published: the next start publishes them", metadata: ["recordings": "\(left)"])
        }
    }

    private func attempt(_ id: RecordingID, _ call: Unfinished) async {
        let session = call.session
        do throws(DiskError) {
            guard call.isPublished else {
                let recording = try await session.tryPublish()
                catalogue.add(recording)
                deliverer.add(recording, isSettled: session.isSettled)
                let next = Unfinished(session, facts: call.facts, .success(recording))
                return state.withLock { state in
                    state.unfinished[id] = next
                    state.liveNames.remove(id, call.facts)
                }
            }
            for (sink, files) in session.lateFiles {
                let late = try await storage.home.run(on: writers, takesLong: true) { () throws(DiskError) in
                    try session.linkLate(files, of: sink)
                }
                guard let late else { continue }
                try await lateEvents.amend(late.name) { manifest in
                    if manifest.sinks.indices.contains(sink.index) { manifest.sinks[sink.index] = late.entry }
                }
                try await storage.home.run(on: writers) { () throws(DiskError) in
                    session.noteLate(files, of: sink, late.entry)
                }
            }
            guard session.isSettled else { return }
            try await storage.home.run(on: writers) { () throws(DiskError) in session.discardPartial() }
            state.withLock { _ = $0.unfinished.removeValue(forKey: id) }
            if let published = session.published { deliverer.add(published) }
        } catch {
            if call.isPublished, error.underlying == ENOENT {
                // The recording was deleted, so its late files are not added.
                // They stay until the operator settles the call.
                logger.error(
                    "late files of a deleted recording left in place",
                    metadata: ["call.id": "\(id)", "reason": "\(error)"])
                return state.withLock { _ = $0.unfinished.removeValue(forKey: id) }
            }
            logger.error(
                "could not finish a recording", metadata: ["call.id": "\(id)", "reason": "\(error)"])
            state.withLock { $0.unfinished[id]?.fail("\(error)", now: Clocks.current.now) }
        }
    }
}
