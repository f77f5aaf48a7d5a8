import CallreelCore
import CallreelEngine
import CallreelSinks
import Foundation
import Logging

/// The path of samples to a sink's thread: session, queue and worker, with a sink that only counts.
///
/// The figure is the difference between a long call and a short one. So it excludes starting and publishing a call.
struct Handover {
    /// Frames of 20 ms in one read.
    let framesPerRead: Int
    private let room: SinkRoom
    private let plans: [SinkPlan]

    /// Makes the plan for a number of sinks.
    init(framesPerRead: Int, sinks: Int) throws {
        self.framesPerRead = framesPerRead
        room = try SinkRoom()
        var problems: [ConfigurationProblem] = []
        // A queue for the whole call, so that the figure is the hand-over without waiting.
        let entry = JSONValue.object(["type": .string("null"), "buffer": .integer(600)])
        var registry = SinkRegistry.builtIn
        registry.register(NullSink.self)
        plans = SinkPlan.read(
            .array(Array(repeating: entry, count: sinks)), at: .root, registry: registry, problems: &problems)
        precondition(problems.isEmpty, "\(problems)")
    }

    /// Returns the CPU nanoseconds for one frame.
    func nanoseconds() async throws -> Double {
        let long = 25_000, short = 250
        return (try await cpuTime(frames: long) - cpuTime(frames: short)) / Double(long - short)
    }

    /// Returns the CPU nanoseconds of a whole call.
    private func cpuTime(frames: Int) async throws -> Double {
        let recorder = Recorder(
            store: RecordingStore(directory: room.path, template: try NameTemplate("{id}")),
            settings: RecorderSettings(sinks: plans), registry: .builtIn,
            logger: Logger(label: "micro") { _ in SwiftLogNoOpLogHandler() })
        try await recorder.prepare()
        let samples = speechlike(frames: framesPerRead * 320)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await recorder.keepTime() }
            let call = recorder.begin(
                CallStart(CallFacts(carrier: "micro"), format: SinkRoom.format), source: EndlessRoom())
            let session = call.session
            let begin = Stopwatch.now()
            for _ in 0..<(frames / framesPerRead) { precondition(session.receive(samples), "the queue is full") }
            session.end("measured")
            _ = try await call.result.value.get()
            let end = Stopwatch.now()
            group.cancelAll()
            return end - begin
        }
    }
}

/// The source of a call whose queues hold all of it.
private struct EndlessRoom: CallSource {
    func roomForMore() {}
}
