import CallreelCore
import Logging

extension CallSession {
    /// The parts of a recorder shared by all of its calls.
    struct Environment: Sendable {
        /// The sinks of each call.
        let stations: [SinkStation]
        let store: RecordingStore
        let disk: Disk
        let settings: RecorderSettings
        let metrics: RecorderMetrics
        let logger: Logger
    }

    /// The recordings directory, and the threads for disk calls there.
    struct Disk: Sendable {
        let home: StorageDirectory
        /// The threads for writing ledgers and manifests.
        let writers = BlockingExecutor(name: "ledger")
        /// The threads for hashing the files of ended calls. Running calls come first.
        let sealer = BlockingExecutor(name: "sealer", isBackground: true)
    }

    var store: RecordingStore { environment.store }
    var metrics: RecorderMetrics { environment.metrics }
    var writers: BlockingExecutor { environment.disk.writers }
    var sealer: BlockingExecutor { environment.disk.sealer }
    /// The recordings directory.
    var home: StorageDirectory { environment.disk.home }
}
