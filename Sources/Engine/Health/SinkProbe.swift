import CallreelCore
import Foundation
import Logging
import Synchronization

/// Tests sinks without a call, by their own probe, in their target directories. Removes the files of the probe.
///
/// All sinks are tested at startup. Later tests cover required sinks, and sinks with a failed last attempt.
final class SinkProbe: Sendable {
    /// Time between two tests.
    static let interval = Duration.seconds(5)
    /// Time limit for opening a sink. A sink still opening after it counts as failed.
    static let limit = Duration.seconds(5)

    private let stations: [SinkStation]
    /// The permission bits of the sinks' files.
    private let fileMode: Int
    private let logger: Logger
    /// The starts of the running tests, by the names of their sinks.
    private let underWay = Mutex<[String: ContinuousClock.Instant]>([:])

    init(_ stations: [SinkStation], fileMode: Int, logger: Logger) {
        self.stations = stations
        self.fileMode = fileMode
        self.logger = logger
    }

    /// Starts a test of every sink, or only of required and failed sinks.
    /// Does not wait, because a destination may block for ever.
    func start(all: Bool) {
        let now = Clocks.current.now
        for station in stations where all || station.plan.envelope.required || station.health.problem != nil {
            let name = station.plan.name
            let began = underWay.withLock { tries -> ContinuousClock.Instant? in
                defer { tries[name] = tries[name] ?? now }
                return tries[name]
            }
            if let began {
                // The previous test is still running.
                if now - began >= Self.limit {
                    note(station, "opening it takes longer than \(Self.limit.components.seconds) seconds")
                }
                continue
            }
            // Not a child task: a blocked open can be neither cancelled nor awaited.
            // The task ends with its sink, or with the process.
            Task(executorPreference: station.threads.thread().executor) { [self] in
                let problem = await attempt(station.plan, station.places)
                underWay.withLock { $0[name] = nil }
                note(station, problem)
            }
        }
    }

    /// Probes the sink in its directory, then in its fallback. Returns nil at the first success,
    /// otherwise the errors as text.
    private func attempt(_ plan: SinkPlan, _ places: [SinkStation.Place]) async -> String? {
        var problem: SinkError?
        for (number, place) in places.enumerated() {
            var directory = SinkDirectory(
                path: place.directory.path + "/" + RecordingLayout.partialDirectoryName
                    + "/\(Rehearsal.openingPrefix)\(RecordingID())",
                fileStem: "probe", fileMode: fileMode)
            directory.root = place.root
            let context = SinkContext(
                recording: RecordingFacts(
                    id: RecordingID(), call: CallFacts(carrier: "probe"), startedAt: Clocks.current.date),
                format: plan.envelope.format(of: AudioFormat(sampleRate: 16000)), sinkName: plan.name,
                directory: directory, logger: logger)
            let guardian = DirectoryGuardian(place.directory, isLast: number + 1 == places.count)
            defer { context.removeFiles() }
            do throws(SinkError) {
                try guardian.prepare(context)
                try await plan.sink.probe(context)
                return nil
            } catch {
                problem = problem?.followed(by: error) ?? error
            }
        }
        return problem?.description
    }

    private func note(_ station: SinkStation, _ problem: String?) {
        let before = station.health.problem
        if let problem {
            station.health.failed(problem)
            if before == nil {
                logger.error(
                    "cannot open a sink", metadata: ["sink.name": "\(station.plan.name)", "reason": "\(problem)"])
            }
        } else {
            station.health.opened()
            if before != nil {
                logger.notice("sink can be opened again", metadata: ["sink.name": "\(station.plan.name)"])
            }
        }
    }
}
