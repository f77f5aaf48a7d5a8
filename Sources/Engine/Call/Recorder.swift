package import CallreelCore
package import CoreMetrics
import Foundation
package import Logging
import Synchronization

/// Records calls. Holds the store, the configured sinks, the running calls, and carriers' facts about calls.
package final class Recorder: Sendable {
    /// Default number of events that may be added to one recording after its call.
    package static let lateEventLimit = LateEvents.standardLimit

    /// Default number of seconds for which a pause continues after all audio spoken in it has been read.
    package static let pauseGuard = 0.5

    /// A running call.
    struct Live {
        let session: CallSession
        /// All facts by which events find the call.
        var facts: CallFacts
    }

    struct State {
        var live: [RecordingID: Live] = [:]
        /// Calls by their names, the oldest first.
        /// So a lookup does not depend on chance where legs share a conversation.
        var liveNames = CallNames<RecordingID>()
        /// Facts and events about calls without audio yet.
        var expected = ExpectedFacts()
        /// Number of calls begun so far.
        var begun = 0
        /// Ended calls with work left for the recorder.
        var unfinished: [RecordingID: Unfinished] = [:]
        /// The program is about to end and wants no further call. Running calls continue.
        var isDraining = false
        /// The program is ending the remaining calls, and will then end itself.
        var isLeaving = false
    }

    /// The store of the recordings.
    package let store: RecordingStore
    /// The finished recordings.
    let catalogue: any Catalogue
    /// The configured sinks at work.
    let stations: [SinkStation]

    /// The directories for recordings.
    let storage: Storage
    let environment: CallSession.Environment
    /// Finishes interrupted calls and keeps the index current.
    let archive = ArchiveKeeper()
    let probe: SinkProbe
    let registry: SinkRegistry
    /// The lease by which other programs with the same recordings directory know that this one runs.
    let lease: Lease
    /// Thread for the heartbeat after cancellation. It touches no disk, so time goes on while all others are stuck.
    let clock = BlockingExecutor(name: "clock", threads: 1, threadLimit: 1)
    let logger: Logger
    let state = Mutex(State())
    let lateEvents: LateEvents
    /// Delivers finished recordings.
    let deliverer: Deliverer

    var writers: BlockingExecutor { environment.disk.writers }
    var metrics: RecorderMetrics { environment.metrics }

    /// The configured sinks.
    package var plans: [SinkPlan] { stations.map(\.plan) }

    /// Makes a recorder. Touches no disk before ``prepare()``.
    /// - Parameters:
    ///   - registry: the sinks by which recovery repairs files.
    ///   - factory: the receiver of the figures described in ``RecorderMetrics/descriptions``.
    package init(
        store: RecordingStore, settings: RecorderSettings, registry: SinkRegistry,
        catalogue: any Catalogue = NoCatalogue(), metrics factory: any MetricsFactory = NOOPMetricsHandler.instance,
        logger: Logger
    ) {
        let metrics = RecorderMetrics(factory)
        let stations = settings.sinks.map { SinkStation($0, metrics: metrics) }
        let storage = Storage(store: store, stations: stations, marks: settings.marks, metrics: metrics)
        var store = store
        lease = Lease(directory: store.partialDirectory)
        store.lease = lease
        store.access = DirectoryAccess { storage.directory($0) }
        self.store = store
        self.storage = storage
        self.stations = stations
        self.registry = registry
        self.catalogue = catalogue
        self.logger = logger
        environment = CallSession.Environment(
            stations: stations, store: store, disk: .init(home: storage.home), settings: settings, metrics: metrics,
            logger: logger)
        lateEvents = LateEvents(
            store: store, limit: settings.lateEventLimit, eventLimit: settings.eventLimit, metrics: metrics,
            logger: logger)
        deliverer = Deliverer(
            settings.deliveries, store: store, home: storage.home, manifests: lateEvents, metrics: metrics)
        probe = SinkProbe(stations, fileMode: store.fileMode, logger: logger)
    }

    /// Time limit for the recordings directory to answer at the start.
    static let prepareLimit = Duration.seconds(30)

    /// Tests that recordings can be made. If this throws, the operator must fix the cause.
    package func prepare() async throws(DiskError) {
        let threads = BlockingExecutor(name: "prepare", threads: 1)
        let result = await threads.answer(within: Self.prepareLimit) { [store, storage, lease, logger] in
            Result { () throws(DiskError) in
                try store.prepare()
                try lease.begin()
                storage.home.look(logger)
            }
        }
        guard let result else {
            throw DiskError(
                "\(store.directory) has not answered for \(Self.prepareLimit.components.seconds) seconds",
                underlying: ETIMEDOUT)
        }
        try result.get()
        await storage.resolve()
    }

    /// Marks the recorder as draining: the program is about to end and takes no further calls. Running calls continue.
    package func drain() { state.withLock { $0.isDraining = true } }

    /// Announces the end of the running calls. From now on, Callreel does not wait for a hanging recordings directory.
    package func leave() { state.withLock { $0.isLeaving = true } }

    /// ``drain()`` was called.
    package var isDraining: Bool { state.withLock { $0.isDraining } }

    /// The running calls, oldest first.
    package var liveCalls: [CallSnapshot] { sessions.map(\.snapshot).sorted { $0.startedAt < $1.startedAt } }

    /// Returns the reader for files under a sink's own directory, as named in manifests.
    /// Nil means the recordings directory.
    package func reader(of root: String?) -> DirectoryReader {
        // A path that leads to the recordings directory has no directory of its own.
        DirectoryReader(root.flatMap(storage.directory) ?? storage.home)
    }

    /// Returns a running call.
    package func liveCall(_ id: RecordingID) -> CallSession? { state.withLock { $0.live[id]?.session } }

    var sessions: [CallSession] { state.withLock { $0.live.values.map(\.session) } }

    /// Starts a call, and records it to its end. Call ``CallSession/end(_:leftoverBytes:)`` to end it.
    package func begin(_ start: CallStart, source: some CallSource) -> RunningCall {
        // One lock covers all of this. Otherwise a fact that arrives now might be kept for a future call.
        let (session, facts, expected) = state.withLock { state in
            var start = start
            let expected = state.expected.take(start.call)
            if let expected { start.call.complete(with: expected.facts) }
            let session = CallSession(start, environment: environment, source: source)
            state.live[session.id] = Live(session: session, facts: start.call)
            state.liveNames.add(session.id, start.call)
            state.begun += 1
            return (session, start.call, expected)
        }
        metrics.callsStarted.increment()
        for event in expected?.events ?? [] { _ = session.take(event, facts: facts) }
        if let dropped = expected?.droppedEvents, dropped > 0 {
            session.state.withLock { $0.ledger.droppedEvents += dropped }
        }
        // Not a child task: the call outlives the connection that began it, until its recording is published. The
        // recorder owns it as long as the session is among the running ones.
        return RunningCall(session: session, result: Task { await record(session) })
    }

    private func record(_ session: CallSession) async -> Result<Recording, DiskError> {
        let result: Result<Recording, DiskError>
        do throws(DiskError) { result = .success(try await session.run()) } catch { result = .failure(error) }
        switch result {
        case .success(let recording):
            catalogue.add(recording)
            deliverer.add(recording, isSettled: session.isSettled)
        case .failure:
            metrics.callsNotPublished.increment()
            session.source.stop(session, "the call cannot be recorded")
        }
        // One step, so that an event always finds the call.
        state.withLock { state in
            guard let call = state.live.removeValue(forKey: session.id) else { return }
            let unfinished = Unfinished(session, facts: call.facts, result)
            if let unfinished { state.unfinished[session.id] = unfinished }
            if unfinished?.isPublished ?? true { state.liveNames.remove(session.id, call.facts) }
        }
        return result
    }
}
