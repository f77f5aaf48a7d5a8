import Logging

extension CallSession {
    /// The parts of a recorder that all of its calls share.
    struct Environment: Sendable {
        /// The sinks of each call.
        let plans: [SinkPlan]
        let store: RecordingStore
        let storage: Storage
        /// Where manifests are written.
        let ledger: BlockingExecutor
        /// Where the files of calls that are over are hashed.
        let sealer: BlockingExecutor
        /// Events that one manifest keeps.
        let eventLimit: Int
        /// Seconds for which a pause goes on after it was to end.
        let pauseGuard: Double
        let metrics: CallMetrics
        let logger: Logger
    }

    var plans: [SinkPlan] { environment.plans }
    var store: RecordingStore { environment.store }
    var metrics: CallMetrics { environment.metrics }
    var ledger: BlockingExecutor { environment.ledger }
    /// The recordings directory.
    var home: StorageDirectory { environment.storage.home }
}
