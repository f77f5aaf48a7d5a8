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
            places: places, queue: queue, envelope: envelope, health: health, metrics: metrics, account: LiveAccount(), format: .telephone,
            rateConverter: rateConverter, group: nil)
    }
}

extension SinkReport {
    var written: Int { account.tally.written }
    var silence: Int { account.tally.ranges.silence?.frames ?? 0 }
}

extension SinkRunner {
    /// Serves a call to its end on threads of its own.
    func run(_ job: SinkJob) async -> SinkReport {
        await withCheckedContinuation { continuation in
            start(job, SinkThreads(name: "test")) { continuation.resume(returning: $0) }
        }
    }
}

extension SinkService where Sink: ~Copyable {
    /// Serves a call to its end on threads of its own.
    static func run(_ options: Sink.Options, _ job: SinkJob) async -> SinkReport {
        await withCheckedContinuation { continuation in
            start(options, job, on: SinkThreads(name: "test")) { continuation.resume(returning: $0) }
        }
    }
}
