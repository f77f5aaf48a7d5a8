import Foundation
public import Logging
import Synchronization

/// Everything that records: the store, the sinks that were configured, the calls that run, and what carriers say of them.
public final class Recorder: Sendable {
    /// How often clocks are looked at: stalls, due checkpoints, stuck threads.
    static let heartbeat = Duration.milliseconds(250)
    /// Facts about calls whose audio has not come, or came long ago, that are kept at once.
    static let waitingLimit = 1000

    /// What a carrier said about a call before its audio came.
    fileprivate struct Waiting {
        var facts: CallFacts
        var events: [Recording.Event] = []
    }

    fileprivate struct State {
        var live: [RecordingID: CallSession] = [:]
        /// Oldest first.
        var waiting: [Waiting] = []
    }

    /// Where recordings go.
    public let store: RecordingStore
    /// The recordings that are finished.
    public let index = RecordingIndex()
    /// The configured sinks.
    public let plans: [SinkPlan]

    private let ledger = BlockingExecutor(name: "ledger")
    private let logger: Logger
    private let state = Mutex(State())
    /// Held while a published manifest is read, changed and replaced, so that two changes do not undo each other.
    private let lateChanges = Mutex(())

    /// Makes a recorder. Nothing touches the disk before ``prepare()``.
    public init(store: RecordingStore, plans: [SinkPlan], logger: Logger) {
        self.store = store
        self.plans = plans
        self.logger = logger
    }

    /// Proves that recordings can be made. An error here is the operator's to mend.
    public func prepare() async throws(RecordingError) {
        try await ledger.run { [store] () throws(RecordingError) in try store.prepare() }
    }

    /// Reads the finished recordings, and keeps time for the running calls until the task is cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { [ledger, index, store] in await ledger.run { index.scan(store.directory) } }
            await keepTime()
        }
    }

    /// Looks at the clocks of the running calls and their threads until the task is cancelled.
    public func keepTime() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.heartbeat)
            let now = ContinuousClock.now
            for session in sessions { session.tick(now: now) }
            for plan in plans { plan.executor.relieve() }
            ledger.relieve()
        }
    }

    /// The running calls, oldest first.
    public var liveCalls: [CallSession.Snapshot] { sessions.map(\.snapshot).sorted { $0.startedAt < $1.startedAt } }

    private var sessions: [CallSession] { state.withLock { Array($0.live.values) } }

    /// Starts a call. Whoever calls this must let ``record(_:)`` run for it.
    /// - Parameter onRoom: called, from any thread, when there is room again after `receive` returned false.
    public func startCall(
        _ call: CallFacts, format: AudioFormat, onRoom: @escaping @Sendable () -> Void
    ) -> CallSession {
        var call = call
        let waiting = state.withLock { $0.takeWaiting(uuid: call.uuid, conversation: call.conversation) }
        if let waiting { call.complete(with: waiting.facts) }
        let session = CallSession(
            call: call, format: format, plans: plans, store: store, ledger: ledger, logger: logger, onRoom: onRoom)
        state.withLock { $0.live[session.id] = session }
        for event in waiting?.events ?? [] { session.note(event.type, data: event.data, at: event.at, once: true) }
        return session
    }

    /// Records a started call to its end. Errors are logged and returned; nothing else is left to do about them.
    @discardableResult
    public func record(_ session: CallSession) async -> Result<Recording, RecordingError> {
        let result: Result<Recording, RecordingError>
        do throws(RecordingError) { result = .success(try await session.run()) } catch { result = .failure(error) }
        if case .success(let recording) = result { index.add(recording) }
        state.withLock { _ = $0.live.removeValue(forKey: session.id) }
        return result
    }

    // MARK: - What carriers say beside the audio

    /// Keeps facts about a call whose audio is expected.
    public func expect(_ facts: CallFacts) {
        state.withLock { $0.changeWaiting(facts, limit: Self.waitingLimit) { _ in } }
    }

    /// Keeps an event with the call that it belongs to: one that runs, one that is expected, or one that is published.
    /// - Parameter facts: what the event says of the call; its uuid or conversation finds the call.
    public func note(_ type: String, data: [String: JSONValue], of facts: CallFacts) async {
        let event = Recording.Event(frame: .start, at: Date(), type: type, data: data)
        if let session = sessions.first(where: { $0.matches(uuid: facts.uuid, conversation: facts.conversation) }) {
            session.complete(with: facts)
            session.note(type, data: data, at: event.at, once: true)
        } else if let name = index.name(uuid: facts.uuid, conversation: facts.conversation) {
            await ledger.run { [self] in append(event, to: name) }
        } else {
            state.withLock { state in
                state.changeWaiting(facts, limit: Self.waitingLimit) { waiting in
                    if waiting.events.count < 100 { waiting.events.append(event) }
                }
            }
        }
    }

    /// Adds an event to a published manifest. Blocks.
    private func append(_ event: Recording.Event, to name: String) {
        lateChanges.withLock { _ in
            do {
                var manifest = try store.manifest(named: name)
                // Carriers repeat events; the same one is kept once.
                if manifest.events.contains(where: { $0.type == event.type && $0.data == event.data }) { return }
                guard manifest.events.count < CallSession.eventLimit else { return }
                var event = event
                event.frame = FramePosition(manifest.framesReceived)
                manifest.events.append(event)
                try store.update(manifest)
            } catch {
                logger.error("an event came too late to be kept", metadata: ["recording": "\(name)", "event": "\(event.type)", "reason": "\(error)"])
            }
        }
    }
}

extension Recorder.State {
    /// Takes what is known of a call whose audio comes now.
    fileprivate mutating func takeWaiting(uuid: String?, conversation: String?) -> Recorder.Waiting? {
        waiting.firstIndex { $0.facts.matches(uuid: uuid, conversation: conversation) }.map { waiting.remove(at: $0) }
    }

    /// Changes what is known of an expected call; the oldest expectation makes room for a new one.
    fileprivate mutating func changeWaiting(_ facts: CallFacts, limit: Int, _ change: (inout Recorder.Waiting) -> Void) {
        var entry = takeWaiting(uuid: facts.uuid, conversation: facts.conversation) ?? Recorder.Waiting(facts: facts)
        entry.facts.complete(with: facts)
        change(&entry)
        waiting.append(entry)
        if waiting.count > limit { waiting.removeFirst() }
    }
}
