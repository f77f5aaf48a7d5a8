package import CallreelCore
package import CoreMetrics
import Foundation
package import Logging
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Records calls. Holds the store, the configured sinks, the running calls, and carriers' facts about calls.
package final class Recorder: Sendable {
    /// Interval between checks of the clocks: stalls, due checkpoints, stuck threads.
    static let heartbeat = Duration.milliseconds(250)
    /// Interval at which the counts of dropped late events are added to the manifests.
    static let settleInterval = Duration.seconds(10)
    /// Number of calls without audio yet, or long after it, about which facts are kept at once.
    static let waitingLimit = 1000

    /// Default number of events that may be added to one recording after its call.
    package static let lateEventLimit = LateEvents.standardLimit

    /// Default number of seconds for which a pause continues after all audio spoken in it has been read.
    package static let pauseGuard = 0.5

    /// Number of events kept for one expected call.
    static let waitingEventLimit = 20

    /// The store of the recordings.
    package let store: RecordingStore
    /// The finished recordings.
    let catalogue: any Catalogue
    /// The configured sinks.
    package let plans: [SinkPlan]

    /// The directories for recordings.
    let storage: Storage
    let environment: CallSession.Environment
    /// Finishes interrupted calls and keeps the index current.
    let archive = ArchiveKeeper()
    private let probe: SinkProbe
    private let registry: SinkRegistry
    /// The lease by which other programs with the same recordings directory know that this one runs.
    private let lease: Lease
    /// Thread for the heartbeat after cancellation. It touches no disk, so time goes on while all others are stuck.
    private let clock = BlockingExecutor(name: "clock", threads: 1, threadLimit: 1)
    let logger: Logger
    let state = Mutex(State())
    let lateEvents: LateEvents

    var ledger: BlockingExecutor { environment.ledger }
    var metrics: CallMetrics { environment.metrics }

    /// Makes a recorder. Touches no disk before ``prepare()``.
    /// - Parameters:
    ///   - marks: the limits of free space on the disks.
    ///   - eventLimit: the number of events kept in one manifest.
    ///   - lateEventLimit: the number of events kept from after the call.
    ///   - pauseGuard: seconds for which a pause continues after its requested end.
    ///   - factory: the receiver of the figures described in ``metricDescriptions``.
    package init(
        store: RecordingStore, plans: [SinkPlan], registry: SinkRegistry,
        catalogue: any Catalogue = NoCatalogue(), marks: SpaceMarks = .standard,
        eventLimit: Int = CallSession.eventLimit, lateEventLimit: Int = Recorder.lateEventLimit,
        pauseGuard: Double = Recorder.pauseGuard,
        metrics factory: any MetricsFactory = NOOPMetricsHandler.instance, logger: Logger
    ) {
        let all = RecorderMetrics(factory)
        let storage = Storage(store: store, plans: plans, marks: marks, metrics: all)
        var store = store
        lease = Lease(directory: store.partialDirectory)
        store.lease = lease
        store.access = DirectoryAccess { storage.directory($0) }
        self.store = store
        self.storage = storage
        self.plans = plans
        self.registry = registry
        self.catalogue = catalogue
        self.logger = logger
        environment = CallSession.Environment(
            plans: plans, store: store, storage: storage, ledger: BlockingExecutor(name: "ledger"),
            // Running calls come first.
            sealer: BlockingExecutor(name: "sealer", isBackground: true), eventLimit: eventLimit,
            pauseGuard: pauseGuard,
            metrics: CallMetrics(all: all, sinks: plans.map { all.sink($0.name, type: $0.type) }), logger: logger)
        lateEvents = LateEvents(
            store: store, limit: lateEventLimit, eventLimit: eventLimit, metrics: all, logger: logger)
        probe = SinkProbe(plans: plans, store: store, storage: storage, logger: logger)
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

    /// Recovers interrupted recordings, indexes the finished ones, and keeps time for running calls until the task is
    /// cancelled. Calls can be recorded meanwhile.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepArchive() }
            group.addTask { await self.watchPlaces() }
            group.addTask { await self.finishWaiting() }
            group.addTask { [lateEvents] in
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.settleInterval)
                    await lateEvents.settle()
                }
            }
            await keepTime()
            if storage.home.isStuck { storage.home.giveUp() }
        }
        guard storage.home.hang == nil else { return reportUnpublished() }
        await lateEvents.settle()
        await close()
    }

    /// Makes a last attempt at the remaining work for ended calls, and ends the lease begun by ``prepare()``.
    /// ``run()`` calls this at its end.
    package func close() async {
        await finishLast()
        await ledger.run { [lease] in lease.end() }
    }

    /// Recovers interrupted calls, and keeps the index in line with the disk, until the task is cancelled.
    private func keepArchive() async {
        let looked = try? await storage.home.run(on: ledger) { [lease, store] () throws(DiskError) in
            Leases(own: lease, directory: store.partialDirectory)
        }
        // The call was given up, because the program is about to end.
        guard let leases = looked else { return }
        let recovery = Recovery(
            store: store, registry: registry, roots: storage.others.map(\.path), leases: leases, logger: logger)
        await archive.run(catalogue, recovery, in: storage.home) { [metrics] _ in metrics.all.callsRecovered.increment()
        }
    }

    /// Starts rehearsals in every directory and tests of required and failed sinks, until the task is cancelled.
    /// Also renews the lease and keeps the reserve. Waits for no disk.
    private func watchPlaces() async {
        var isFirst = true
        while !Task.isCancelled {
            storage.rehearse(logger)
            probe.start(all: isFirst)
            isFirst = false
            lease.renewSoon { [logger] result in
                switch result {
                case .success(true): break
                case .success(false):
                    logger.error("this server was thought to be dead, and another one may have published its calls")
                case .failure(let error):
                    logger.error("the lease of this server was not renewed", metadata: ["reason": "\(error)"])
                }
            }
            if storage.home.problem == nil {
                Task(executorPreference: ledger) { [store] in store.keepReserve() }
            }
            try? await Task.sleep(for: SinkProbe.interval)
        }
    }

    /// Marks the recorder as draining: the program is about to end and takes no further calls. Running calls continue.
    package func drain() { state.withLock { $0.isDraining = true } }

    /// Announces the end of the running calls. From now on, Callreel does not wait for a hanging recordings directory.
    package func leave() { state.withLock { $0.isLeaving = true } }

    /// ``drain()`` was called.
    package var isDraining: Bool { state.withLock { $0.isDraining } }

    /// Checks the clocks of running calls and their threads until the task is cancelled and the last call is published.
    /// Cancellation ends the running calls. A call with a stuck sink needs the clock to end.
    package func keepTime() async {
        while !Task.isCancelled || !sessions.isEmpty {
            // A cancelled task cannot sleep, but a separate thread can.
            if Task.isCancelled {
                for session in sessions { session.end("the recorder was stopped") }
                await clock.run { Thread.sleep(forTimeInterval: 0.25) }
            } else {
                try? await Task.sleep(for: Self.heartbeat)
            }
            // A program about to end does not wait for a hanging directory.
            if Task.isCancelled || state.withLock({ $0.isLeaving }), storage.home.isStuck { storage.home.giveUp() }
            let now = ContinuousClock.now
            let sessions = sessions
            for session in sessions { session.tick(now: now) }
            metrics.all.callsLive.set(Int64(sessions.count))
            for index in plans.indices {
                metrics.sinks[index].queuedSeconds.set(sessions.map { $0.queuedSeconds(index) }.max() ?? 0)
                let behind = sessions.count { $0.isBehind(index) }
                metrics.sinks[index].callsBehind.set(Int64(behind))
                plans[index].health.noteBehind(behind)
            }
            for plan in plans { plan.threads.relieve() }
            ledger.relieve()
            environment.sealer.relieve()
            storage.relieve()
        }
    }

    /// The running calls, oldest first.
    package var liveCalls: [CallSession.Snapshot] { sessions.map(\.snapshot).sorted { $0.startedAt < $1.startedAt } }

    /// Returns a running call.
    package func liveCall(_ id: RecordingID) -> CallSession? { state.withLock { $0.live[id]?.session } }

    private var sessions: [CallSession] { state.withLock { $0.live.values.map(\.session) } }

    /// Starts a call, and records it to its end. Call ``CallSession/end(_:leftoverBytes:)`` to end it.
    package func begin(_ start: CallStart, source: some CallSource) -> RunningCall {
        // One lock covers all of this. Otherwise a fact that arrives now might be kept for a future call.
        let (session, facts, waiting) = state.withLock { state in
            var start = start
            let waiting = state.takeWaiting(start.call)
            if let waiting { start.call.complete(with: waiting.facts) }
            let session = CallSession(start, environment: environment, source: source)
            state.live[session.id] = Live(session: session, facts: start.call)
            state.liveNames.add(session.id, start.call)
            state.begun += 1
            return (session, start.call, waiting)
        }
        metrics.all.callsStarted.increment()
        for event in waiting?.events ?? [] { _ = session.take(event, facts: facts) }
        if let dropped = waiting?.droppedEvents, dropped > 0 {
            session.state.withLock { $0.manifest.droppedEvents += dropped }
        }
        // Not a child task: the call outlives the connection that began it, until its recording is published. The
        // recorder owns it as long as the session is among the running ones.
        return RunningCall(session: session, result: Task { await record(session) })
    }

    private func record(_ session: CallSession) async -> Result<Recording, DiskError> {
        let result: Result<Recording, DiskError>
        do throws(DiskError) { result = .success(try await session.run()) } catch { result = .failure(error) }
        switch result {
        case .success(let recording): catalogue.add(recording)
        case .failure:
            metrics.all.callsNotPublished.increment()
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
