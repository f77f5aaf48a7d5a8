import Foundation
import Logging
import Synchronization

/// Tries whether a sink can be opened, without a call: opens it where its calls would write, and lets it go.
///
/// All sinks are tried at the start. Later those are that calls depend on, and those that could not be opened the last time.
final class SinkProbe: Sendable {
    /// Time between two tries.
    static let interval = Duration.seconds(5)
    /// Time after which a sink that does not come back from opening counts as one that cannot be opened.
    static let limit = Duration.seconds(5)

    private let plans: [SinkPlan]
    private let store: RecordingStore
    private let storage: Storage
    private let logger: Logger
    /// When each try began that has not come to an end; by sink.
    private let underWay: Mutex<[ContinuousClock.Instant?]>

    init(plans: [SinkPlan], store: RecordingStore, storage: Storage, logger: Logger) {
        self.plans = plans
        self.store = store
        self.storage = storage
        self.logger = logger
        underWay = Mutex(plans.map { _ in nil })
    }

    /// Starts a try for every sink, or only for those that need one again. Does not wait: a destination may block for ever.
    func start(all: Bool) {
        let now = ContinuousClock.now
        for (index, plan) in plans.enumerated() where all || plan.envelope.required || plan.health.problem != nil {
            let began = underWay.withLock { tries -> ContinuousClock.Instant? in
                defer { tries[index] = tries[index] ?? now }
                return tries[index]
            }
            if let began {
                // The one before has not come back.
                if now - began >= Self.limit { note(plan, "opening it takes longer than \(Self.limit.components.seconds) seconds") }
                continue
            }
            // Not a child of ours: what blocks for ever can be neither cancelled nor awaited. It ends with its sink, or the process.
            Task(executorPreference: plan.threads.thread().executor) { [self] in
                let problem = await attempt(plan, storage.places(of: index))
                underWay.withLock { $0[index] = nil }
                note(plan, problem)
            }
        }
    }

    /// Why the sink cannot be opened, in its fallback neither.
    private func attempt(_ plan: SinkPlan, _ places: [Storage.Place]) async -> String? {
        var problem: SinkError?
        for (number, place) in places.enumerated() {
            let directory = place.directory.path + "/" + RecordingStore.partialDirectoryName + "/\(Rehearsal.prefix)\(RecordingID())"
            let context = SinkContext(
                recordingID: RecordingID(), call: CallFacts(carrier: "probe"), startedAt: Date(),
                format: plan.envelope.format(of: AudioFormat(sampleRate: 16000)),
                sinkName: plan.name, directory: directory, root: place.root, fileStem: "probe", fileMode: store.fileMode, logger: logger,
                guardian: .init(place.directory, isLast: number + 1 == places.count), onCreate: {})
            defer { context.removeFiles() }
            do throws(SinkError) {
                try context.prepareDirectory()
                try await plan.runner.open(context)
                return nil
            } catch {
                problem = problem?.followed(by: error) ?? error
            }
        }
        return problem?.description
    }

    private func note(_ plan: SinkPlan, _ problem: String?) {
        let before = plan.health.problem
        if let problem {
            plan.health.failed(problem)
            if before == nil {
                logger.error("a sink cannot be opened", metadata: ["sink.name": "\(plan.name)", "reason": "\(problem)"])
            }
        } else {
            plan.health.opened()
            if before != nil { logger.notice("a sink can be opened again", metadata: ["sink.name": "\(plan.name)"]) }
        }
    }
}
