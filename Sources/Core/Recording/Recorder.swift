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

/// Everything that records: the store, the sinks that were configured, the calls that run, and what carriers say of them.
package final class Recorder: Sendable {
    /// How often clocks are looked at: stalls, due checkpoints, stuck threads.
    static let heartbeat = Duration.milliseconds(250)
    /// How often the manifests are told of late events that were dropped.
    static let settleInterval = Duration.seconds(10)
    /// Facts about calls whose audio has not come, or came long ago, that are kept at once.
    static let waitingLimit = 1000

    /// Events that may be added to one recording after its call, where the configuration does not say.
    package static let lateEventLimit = LateEvents.standardLimit

    /// Seconds for which a pause goes on after all that was spoken in it has been read, unless told otherwise.
    package static let pauseGuard = 0.5

    /// Events of one expected call that are kept.
    static let waitingEventLimit = 20

    /// Where recordings go.
    package let store: RecordingStore
    /// The recordings that are finished.
    package let index = RecordingIndex()
    /// The configured sinks.
    package let plans: [SinkPlan]

    /// The directories that recordings go to.
    let storage: Storage
    let environment: CallSession.Environment
    /// Finishes interrupted calls and keeps the index current.
    let archive = ArchiveKeeper()
    private let probe: SinkProbe
    private let registry: SinkRegistry
    /// This program among those that share the recordings directory.
    private let lease: Lease
    /// Beats without any disk, so that time goes on while all others are stuck.
    private let clock = BlockingExecutor(name: "clock", threads: 1, threadLimit: 1)
    let logger: Logger
    let state = Mutex(State())
    let lateEvents: LateEvents

    var ledger: BlockingExecutor { environment.ledger }
    var metrics: CallMetrics { environment.metrics }

    /// Makes a recorder. Nothing touches the disk before ``prepare()``.
    ///
    /// `marks` say how much room the disks must have. `eventLimit` is how many events one manifest keeps, `lateEventLimit` how many of
    /// them may come after the call. A pause goes on for `pauseGuard` seconds after it is to end. Numbers go to `metrics`; ``metricDescriptions`` says what they are.
    package init(
        store: RecordingStore, plans: [SinkPlan], registry: SinkRegistry, marks: SpaceMarks = .standard,
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
        self.logger = logger
        environment = CallSession.Environment(
            plans: plans, store: store, storage: storage, ledger: BlockingExecutor(name: "ledger"),
            // Calls that are not over come first.
            sealer: BlockingExecutor(name: "sealer", isBackground: true), eventLimit: eventLimit, pauseGuard: pauseGuard,
            metrics: CallMetrics(all: all, sinks: plans.map { all.sink($0.name, type: $0.type) }), logger: logger)
        lateEvents = LateEvents(store: store, limit: lateEventLimit, eventLimit: eventLimit, metrics: all, logger: logger)
        probe = SinkProbe(plans: plans, store: store, storage: storage, logger: logger)
    }

    /// Time that the recordings directory has to answer at the start.
    static let prepareLimit = Duration.seconds(30)

    /// Proves that recordings can be made. An error here is the operator's to mend.
    package func prepare() async throws(RecordingError) {
        let threads = BlockingExecutor(name: "prepare", threads: 1)
        let result = await threads.answer(within: Self.prepareLimit) { [store, storage, lease, logger] in
            Result { () throws(RecordingError) in
                try store.prepare()
                try lease.begin()
                storage.home.look(logger)
            }
        }
        guard let result else {
            throw RecordingError("\(store.directory) has not answered for \(Self.prepareLimit.components.seconds) seconds", underlying: ETIMEDOUT)
        }
        try result.get()
        await storage.resolve()
    }

    /// Finishes interrupted recordings, reads the finished ones, and keeps time for the running calls until the task is
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

    /// Attempts a last time what is left to do for calls that are over, and ends what ``prepare()`` began. ``run()`` does this at its end.
    package func close() async {
        await finishLast()
        await ledger.run { [lease] in lease.end() }
    }

    /// Recovers interrupted calls, and keeps the index up to what stands on the disk, until the task is cancelled.
    private func keepArchive() async {
        let looked = try? await storage.home.run(on: ledger) { [lease, store] () throws(RecordingError) in
            Leases(own: lease, directory: store.partialDirectory)
        }
        // Given up: the program ends.
        guard let leases = looked else { return }
        let recovery = Recovery(store: store, registry: registry, roots: storage.others.map(\.path), leases: leases, logger: logger)
        await archive.run(index, recovery, in: storage.home) { [metrics] _ in metrics.all.callsRecovered.increment() }
    }

    /// Rehearses recording in every directory and tries the sinks that calls depend on, until the task is cancelled. Waits for no disk.
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

    /// No further call is wanted: the program is about to end. Running calls go on.
    package func drain() { state.withLock { $0.isDraining = true } }

    /// The calls that still run are about to be ended. From now on, nothing waits for a recordings directory that does not answer.
    package func leave() { state.withLock { $0.isLeaving = true } }

    /// Whether ``drain()`` was called.
    package var isDraining: Bool { state.withLock { $0.isDraining } }

    /// Looks at the clocks of the running calls and their threads until the task is cancelled and the last of them is
    /// published: a call whose sink is stuck needs the clock to come to its end.
    package func keepTime() async {
        while !Task.isCancelled || !sessions.isEmpty {
            // A cancelled task does not sleep; a thread of its own does.
            if Task.isCancelled { await clock.run { Thread.sleep(forTimeInterval: 0.25) } } else { try? await Task.sleep(for: Self.heartbeat) }
            // A program that is to end does not wait for a directory that hangs.
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

    /// A running call.
    package func liveCall(_ id: RecordingID) -> CallSession? { state.withLock { $0.live[id]?.session } }

    private var sessions: [CallSession] { state.withLock { $0.live.values.map(\.session) } }

    /// Starts a call. Whoever calls this must let ``record(_:)`` run for it.
    ///
    /// Calls of one `group` are read in one turn; nil is a call by itself. Audio that `mayHold` waits for a sink as long as that makes
    /// progress, as a file can and a live call cannot.
    /// `onRoom` is called, from any thread, when there is room again after `receive` returned false; `onStop`, from any thread, when a
    /// sink's failure shall end the call. Whoever is told ends it, with the reason; without `onStop` the call is ended at once.
    /// `onDrain` is called, from any thread, when the recording goes on after a pause: whoever is told calls `noteDrained` on the session
    /// when it has handed in all audio that has come by then. Without it, all audio that has come is handed in already.
    package func startCall(
        _ call: CallFacts, format: AudioFormat, group: Int? = nil, mayHold: Bool = false, onRoom: @escaping @Sendable () -> Void,
        onStop: (@Sendable (String) -> Void)? = nil, onDrain: (@Sendable () -> Void)? = nil
    ) -> CallSession {
        // Under one lock, so that nothing that is said of the call now is kept for a call that is yet to come.
        let (session, facts, waiting) = state.withLock { state in
            var call = call
            let waiting = state.takeWaiting(call)
            if let waiting { call.complete(with: waiting.facts) }
            let session = CallSession(
                call: call, format: format, group: group, mayHold: mayHold, environment: environment, onRoom: onRoom, onStop: onStop,
                onDrain: onDrain)
            state.live[session.id] = Live(session: session, facts: call)
            state.liveNames.add(session.id, call)
            state.begun += 1
            return (session, call, waiting)
        }
        metrics.all.callsStarted.increment()
        for event in waiting?.events ?? [] { _ = session.take(event, facts: facts) }
        if let dropped = waiting?.droppedEvents, dropped > 0 { session.state.withLock { $0.manifest.droppedEvents += dropped } }
        return session
    }

    /// Records a started call to its end. Errors are logged and returned; nothing else is left to do about them.
    @discardableResult
    package func record(_ session: CallSession) async -> Result<Recording, RecordingError> {
        let result: Result<Recording, RecordingError>
        do throws(RecordingError) { result = .success(try await session.run()) } catch { result = .failure(error) }
        switch result {
        case .success(let recording): index.add(recording)
        case .failure: metrics.all.callsNotPublished.increment()
        }
        // In one step, so that an event always finds the call.
        state.withLock { state in
            guard let call = state.live.removeValue(forKey: session.id) else { return }
            let unfinished = Unfinished(session, facts: call.facts, result)
            if let unfinished { state.unfinished[session.id] = unfinished }
            if unfinished?.isPublished ?? true { state.liveNames.remove(session.id, call.facts) }
        }
        return result
    }
}
