import CallreelCore
import Foundation
import Logging
import Synchronization

/// Tests sinks without a call: opens each sink in its target directory, then removes its files.
///
/// All sinks are tested at startup. Later tests cover required sinks, and sinks with a failed last attempt.
final class SinkProbe: Sendable {
    /// Time between two tests.
    static let interval = Duration.seconds(5)
    /// Time limit for opening a sink. A sink still opening after it counts as failed.
    static let limit = Duration.seconds(5)

    private let plans: [SinkPlan]
    private let store: RecordingStore
    private let storage: Storage
    private let logger: Logger
    /// The start of each sink's running test, by sink index. Nil if no test is running.
    private let underWay: Mutex<[ContinuousClock.Instant?]>

    init(plans: [SinkPlan], store: RecordingStore, storage: Storage, logger: Logger) {
        self.plans = plans
        self.store = store
        self.storage = storage
        self.logger = logger
        underWay = Mutex(plans.map { _ in nil })
    }

    /// Starts a test of every sink, or only of required and failed sinks.
    /// Does not wait, because a destination may block for ever.
    func start(all: Bool) {
        let now = ContinuousClock.now
        for (index, plan) in plans.enumerated() where all || plan.envelope.required || plan.health.problem != nil {
            let began = underWay.withLock { tries -> ContinuousClock.Instant? in
                defer { tries[index] = tries[index] ?? now }
                return tries[index]
            }
            if let began {
                // The previous test is still running.
                if now - began >= Self.limit {
                    note(plan, "opening it takes longer than \(Self.limit.components.seconds) seconds")
                }
                continue
            }
            // Not a child task: a blocked open can be neither cancelled nor awaited.
            // The task ends with its sink, or with the process.
            Task(executorPreference: plan.threads.thread().executor) { [self] in
                let problem = await attempt(plan, storage.places(of: index))
                underWay.withLock { $0[index] = nil }
                note(plan, problem)
            }
        }
    }

    /// Opens the sink in its directory, then in its fallback. Returns nil at the first success,
    /// otherwise the errors as text.
    private func attempt(_ plan: SinkPlan, _ places: [Storage.Place]) async -> String? {
        var problem: SinkError?
        for (number, place) in places.enumerated() {
            var directory = SinkDirectory(
                path: place.directory.path + "/" + RecordingLayout.partialDirectoryName
                    + "/\(Rehearsal.openingPrefix)\(RecordingID())",
                fileStem: "probe", fileMode: store.fileMode)
            directory.root = place.root
            let context = SinkContext(
                recording: RecordingFacts(id: RecordingID(), call: CallFacts(carrier: "probe"), startedAt: Date()),
                format: plan.envelope.format(of: AudioFormat(sampleRate: 16000)), sinkName: plan.name,
                directory: directory, logger: logger)
            let guardian = DirectoryGuardian(place.directory, isLast: number + 1 == places.count)
            defer { context.removeFiles() }
            do throws(SinkError) {
                try guardian.prepare(context)
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
                logger.error(
                    "a sink cannot be opened", metadata: ["sink.name": "\(plan.name)", "reason": "\(problem)"])
            }
        } else {
            plan.health.opened()
            if before != nil { logger.notice("a sink can be opened again", metadata: ["sink.name": "\(plan.name)"]) }
        }
    }
}
