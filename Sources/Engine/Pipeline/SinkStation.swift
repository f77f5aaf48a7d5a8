import CallreelCore
import CoreMetrics
import Synchronization

/// A sink entry of the configuration at work, shared by all calls: its plan, threads, health, metrics and directories.
final class SinkStation: Sendable {
    /// A directory for the sink's files: its own or its fallback.
    struct Place: Sendable {
        /// The path of the sink's own directory; nil for the recordings directory.
        let root: String?
        let directory: StorageDirectory
    }

    /// The entry as configured.
    let plan: SinkPlan
    /// Threads for this entry alone, so that a blocked destination does not hold up other entries.
    let threads: SinkThreads
    /// The result of the last attempt to open the sink, and the number of calls with which it does not keep up.
    let health = SinkHealth()
    let metrics: SinkMetrics
    private let measurements: PluginMeasurements
    private let state = Mutex<[Place]>([])

    /// Makes the station of an entry. Its threads start with the first work.
    init(_ plan: SinkPlan, metrics: RecorderMetrics) {
        self.plan = plan
        threads = SinkThreads(name: plan.name)
        self.metrics = metrics.sink(plan.name, type: plan.type)
        measurements = metrics.plugin(plan.name, type: plan.type)
    }

    /// Adds a measurement that a sink of this entry reports itself.
    func note(_ measurement: SinkMeasurement) { measurements.note(measurement) }

    /// The directories of the sink's files: the first, then the fallback. ``Storage`` fills them.
    var places: [Place] {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }

    /// Shows how far the sink is behind in the running calls. The heartbeat calls this.
    /// - Parameters:
    ///   - queuedSeconds: seconds of queued audio in the call with the most.
    ///   - callsBehind: number of calls with which the sink does not keep up.
    func note(queuedSeconds: Double, callsBehind: Int) {
        metrics.queuedSeconds.set(queuedSeconds)
        metrics.callsBehind.set(Int64(callsBehind))
        health.noteBehind(callsBehind)
    }
}
