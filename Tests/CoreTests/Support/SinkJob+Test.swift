import CoreMetrics

@testable import CallreelCore

extension SinkJob {
    /// A job whose numbers nobody looks at.
    init(
        places: [SinkPlace], queue: ChunkQueue, envelope: SinkEnvelope = SinkEnvelope(), health: SinkHealth = SinkHealth(),
        rateConverter: SinkRegistry.RateConverterMaker? = nil
    ) {
        let metrics = RecorderMetrics(NOOPMetricsHandler.instance).sink("test", type: "test")
        self.init(
            places: places, queue: queue, envelope: envelope, health: health, metrics: metrics, format: .telephone, rateConverter: rateConverter)
    }
}
