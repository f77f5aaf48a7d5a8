import CoreMetrics
import TestSupport

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

extension SinkJob {
    /// Makes a job at a station of its own.
    init(places: [SinkPlace], queue: ChunkQueue, station: SinkStation = .test()) {
        self.init(
            station: station, places: places, queue: queue, account: LiveAccount(), format: .telephone, group: nil)
    }
}

extension SinkStation {
    /// Makes a station of an entry, without figures.
    convenience init(_ plan: SinkPlan) { self.init(plan, metrics: RecorderMetrics(NOOPMetricsHandler.instance)) }

    /// Makes a station for a worker that is started by hand. The sink of its plan is not used.
    static func test(_ envelope: SinkEnvelope = SinkEnvelope(), rateConverter: RateConverterMaker? = nil) -> SinkStation
    {
        SinkStation(
            SinkPlan(
                place: .root, name: "test", envelope: envelope, isFirstOfType: true,
                sink: PreparedSink(ProbeSink.self, options: ProbeOptions()), rateConverter: rateConverter))
    }
}

extension SinkReport {
    var written: Int { account.tally.written }
    var silence: Int { account.tally.ranges.silence?.frames ?? 0 }
}

extension PreparedSink {
    /// Serves a call to its end.
    func run(_ job: SinkJob) async -> SinkReport {
        await withCheckedContinuation { continuation in
            accept(SinkStart(job: job) { continuation.resume(returning: $0) })
        }
    }
}

extension SinkService where Sink: ~Copyable {
    /// Serves a call to its end.
    static func run(_ options: Sink.Options, _ job: SinkJob) async -> SinkReport {
        await withCheckedContinuation { continuation in
            start(options, job, on: job.station.threads) { continuation.resume(returning: $0) }
        }
    }
}
