import CoreMetrics
import TestSupport

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

extension SinkJob {
    /// Makes a job with default figures.
    init(
        places: [SinkPlace], queue: ChunkQueue, envelope: SinkEnvelope = SinkEnvelope(),
        health: SinkHealth = SinkHealth(),
        rateConverter: RateConverterMaker? = nil
    ) {
        let metrics = RecorderMetrics(NOOPMetricsHandler.instance).sink("test", type: "test")
        self.init(
            places: places, queue: queue, envelope: envelope, health: health, metrics: metrics, account: LiveAccount(),
            format: .telephone,
            rateConverter: rateConverter, group: nil)
    }
}

extension SinkReport {
    var written: Int { account.tally.written }
    var silence: Int { account.tally.ranges.silence?.frames ?? 0 }
}

extension PreparedSink {
    /// Serves a call to its end on its own threads.
    func run(_ job: SinkJob) async -> SinkReport {
        await withCheckedContinuation { continuation in
            accept(SinkStart(job: job, threads: SinkThreads(name: "test")) { continuation.resume(returning: $0) })
        }
    }
}

extension SinkService where Sink: ~Copyable {
    /// Serves a call to its end on its own threads.
    static func run(_ options: Sink.Options, _ job: SinkJob) async -> SinkReport {
        await withCheckedContinuation { continuation in
            start(options, job, on: SinkThreads(name: "test")) { continuation.resume(returning: $0) }
        }
    }
}
