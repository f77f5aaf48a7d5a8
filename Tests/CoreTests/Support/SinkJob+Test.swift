import CoreMetrics

@testable import CallreelCore

extension SinkJob {
    /// A job whose numbers nobody looks at.
    init(contexts: [SinkContext], queue: ChunkQueue, envelope: SinkEnvelope = SinkEnvelope(), health: SinkHealth = SinkHealth()) {
        let metrics = RecorderMetrics(NOOPMetricsHandler.instance).sink("test", type: "test")
        self.init(contexts: contexts, queue: queue, envelope: envelope, health: health, metrics: metrics)
    }
}
