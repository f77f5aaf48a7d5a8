import CallreelCore
import Logging

extension CallSession {
    /// The parts of a recorder shared by all of its calls.
    struct Environment: Sendable {
        /// The sinks of each call.
        let plans: [SinkPlan]
        let store: RecordingStore
        let storage: Storage
        /// The threads for writing manifests.
        let ledger: BlockingExecutor
        /// The threads for hashing the files of ended calls.
        let sealer: BlockingExecutor
        /// Limit on the events in one manifest.
        let eventLimit: Int
        /// Seconds for which audio stays masked after a request to end a pause.
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
