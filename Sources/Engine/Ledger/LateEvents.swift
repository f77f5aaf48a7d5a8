import CallreelCore
import CoreMetrics
import Foundation
import Logging
import Synchronization

/// Adds events that arrive after a call's end to its published manifest.
///
/// Each write replaces the whole manifest. To keep writes few, all events received during a write go together into the
/// next one. A recording takes a limited number of late events. Further events are counted in the manifest's
/// `droppedEvents` and in the metrics.
final class LateEvents: Sendable {
    /// Default limit of late events per recording.
    static let standardLimit = 200
    /// Limit in bytes of JSON for the late events of one recording.
    static let byteLimit = 1 << 17
    /// Limit of recordings with unwritten counts of dropped events, and of recordings remembered as full.
    static let memoryLimit = 1000

    private struct State {
        /// Events waiting to be written, by the recording's name.
        var waiting: [String: [CallEvent]] = [:]
        /// Dropped events not yet counted in a manifest, by the recording's name.
        var dropped: [String: Int] = [:]
        /// Recordings with no room for further late events. Their manifests are not read again for each event.
        var full: Set<String> = []
    }

    private let store: RecordingStore
    /// Limit of late events per recording.
    private let limit: Int
    /// Limit of events per manifest, late or not.
    private let eventLimit: Int
    private let metrics: RecorderMetrics
    private let logger: Logger
    private let state = Mutex(State())
    /// Runs all changes of published manifests on one thread, so that none undoes another.
    /// No other writer uses this thread.
    private let executor = BlockingExecutor(name: "late-events", threads: 1, threadLimit: 1)

    init(store: RecordingStore, limit: Int, eventLimit: Int, metrics: RecorderMetrics, logger: Logger) {
        self.store = store
        self.limit = limit
        self.eventLimit = eventLimit
        self.metrics = metrics
        self.logger = logger
    }

    /// Adds an event to the manifest of a published recording. Returns once the event is on disk or has been counted.
    func add(_ event: CallEvent, to name: String) async {
        let isSmall = event.byteCount <= CallEvent.byteLimit
        let (isTaken, mustSettle) = state.withLock { state in
            guard isSmall, !state.full.contains(name), state.waiting[name, default: []].count < limit else {
                state.dropped[name, default: 0] += 1
                return (false, state.dropped.count > Self.memoryLimit)
            }
            state.waiting[name, default: []].append(event)
            return (true, false)
        }
        if isTaken { return await executor.run { [self] in write(name) } }
        metrics.droppedEvents.increment()
        if mustSettle { await settle() }
    }

    /// Adds the events dropped since the last write to the counts in the manifests.
    func settle() async {
        let names = state.withLock { Array($0.dropped.keys) }
        guard !names.isEmpty else { return }
        await executor.run { [self] in
            for name in names { write(name) }
        }
    }

    /// Changes a published manifest, on the thread for all such changes.
    func amend(_ name: String, _ change: @escaping @Sendable (inout Recording) -> Void) async throws(DiskError) {
        try await executor.run { [store] () throws(DiskError) in
            var manifest: Recording
            do {
                manifest = try store.manifest(named: name)
            } catch {
                throw DiskError("the published manifest \(name).json cannot be read: \(error)")
            }
            change(&manifest)
            try store.update(manifest)
        }
    }

    /// Writes the waiting events and the dropped count of one recording. Blocks.
    /// Does nothing if an earlier write included them.
    private func write(_ name: String) {
        let (events, dropped) = state.withLock { state in
            (state.waiting.removeValue(forKey: name) ?? [], state.dropped.removeValue(forKey: name) ?? 0)
        }
        guard !events.isEmpty || dropped > 0 else { return }
        do {
            var manifest = try store.manifest(named: name)
            let before = (manifest.events.count, manifest.droppedEvents, manifest.maskedEvents)
            manifest.droppedEvents += dropped
            let refused = add(events, to: &manifest)
            if before != (manifest.events.count, manifest.droppedEvents, manifest.maskedEvents) {
                try store.update(manifest)
            }
            guard refused > 0 else { return }
            metrics.droppedEvents.increment(by: refused)
            state.withLock { state in
                if state.full.count >= Self.memoryLimit { state.full = [] }
                state.full.insert(name)
            }
        } catch {
            metrics.droppedEvents.increment(by: events.count)
            // Where the recording is still there, a later write tells how many are missing.
            if FileSystem.exists("\(store.directory)/\(name).json") {
                state.withLock { $0.dropped[name, default: 0] += dropped + events.count }
            }
            logger.error(
                "late events not kept",
                metadata: ["recording": "\(name)", "events": "\(events.count)", "reason": "\(error)"])
        }
    }

    /// Adds events as long as there is room, counts the others as dropped, and returns the number of those.
    private func add(_ events: [CallEvent], to manifest: inout Recording) -> Int {
        let end = manifest.endedAt
        var late = manifest.events.lazy.filter { $0.at > end }.map(\.byteCount).reduce(into: (count: 0, bytes: 0)) {
            $0.count += 1
            $0.bytes += $1
        }
        var refused = 0
        for var event in events {
            // Carriers repeat events. Equal events are kept once.
            if manifest.events.contains(where: event.isRepeat(of:)) { continue }
            if manifest.mayTellOfPause(event) {
                manifest.maskedEvents = (manifest.maskedEvents ?? 0) + 1
                metrics.maskedEvents.increment()
                continue
            }
            let bytes = event.byteCount
            guard manifest.events.count < eventLimit, late.count < limit, late.bytes + bytes <= Self.byteLimit else {
                refused += 1
                continue
            }
            late.count += 1
            late.bytes += bytes
            event.frame = FramePosition(manifest.framesReceived)
            manifest.events.append(event)
        }
        manifest.droppedEvents += refused
        return refused
    }
}

extension Recording {
    /// Returns true if an event received after the call may report input typed or spoken during a pause.
    func mayTellOfPause(_ event: CallEvent) -> Bool {
        guard event.tellsEntry,
            let last = events.last(where: { $0.type == CallEvent.paused || $0.type == CallEvent.resumed })
        else { return false }
        return last.type == CallEvent.paused || event.at < last.at + CallEvent.lateEntry
    }
}
