import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// The framework's work for every sink: parts, retries, conversion, pauses.
@Suite struct PartTests {
    @Test(arguments: [1, 7, 160, 1999, 8000, 30_000])
    func `parts joined are the whole, whatever the chunks`(chunk: Int) async throws {
        let bench = try CallBench([(Probe(), #"{"partLength": 1}"#), (Probe(), "{}")])
        var left = 20_123
        while left > 0 {
            bench.receive(min(chunk, left))
            left -= chunk
        }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        let parts = recording.sinks[0].files
        #expect(parts.map(\.name) == ["call.pcm", "call.part2.pcm", "call.part3.pcm"])
        #expect(parts.map(\.frames) == [8000, 8000, 4123])
        let isWhole = try parts.flatMap(bench.samples) == ramp(0..<20_123)
        #expect(isWhole)
        #expect(recording.sinks.map(\.state) == [.complete, .complete])
    }

    @Test func `a call that ends where a part does has no empty part behind it`() async throws {
        let bench = try CallBench([(Probe(), #"{"partLength": 1}"#)])
        bench.receive(16_000)
        let recording = try await bench.end()
        #expect(recording.sinks[0].files.map(\.frames) == [8000, 8000])
    }

    @Test func `a part ends when its files have the size that was asked for`() async throws {
        let bench = try CallBench([(Probe(), #"{"partSize": 1}"#)])
        for _ in 0..<7 { bench.receive(100_000) }
        let recording = try await bench.end()
        #expect(recording.sinks[0].files.map(\.frames) == [500_000, 200_000])
        let isWhole = try recording.sinks[0].files.flatMap(bench.samples) == ramp(0..<700_000)
        #expect(isWhole)
    }

    @Test func `the number of the part stands where the template wants it`() async throws {
        let bench = try CallBench([(Probe(), #"{"partLength": 1}"#), (Probe(), "{}")], template: "calls/a-{part}-z")
        bench.receive(9000)
        let recording = try await bench.end()
        #expect(recording.name == "calls/a-z")
        #expect(recording.sinks[0].files.map(\.name) == ["calls/a-1-z.pcm", "calls/a-2-z.pcm"])
        #expect(recording.sinks[1].files.map(\.name) == ["calls/a-1-z.probe-2.pcm"])
        #expect(
            try bench.workspace.files() == [
                ".partial", "calls/a-1-z.pcm", "calls/a-1-z.probe-2.pcm", "calls/a-2-z.pcm", "calls/a-z.json",
            ])
    }

    @Test func `a failure in a pause repeats nothing of it, and lets nothing of it through`() async throws {
        let probe = Probe()
        let bench = try CallBench([(probe, #"{"failsAtWrite": 3, "holds": 100, "retry": 0.01}"#), (Probe(), "{}")])
        var expected: [Int16] = []
        for chunk in 0..<12 {
            bench.session.pause((3..<9).contains(chunk))
            bench.receive(160)
            expected +=
                (3..<9).contains(chunk) ? [Int16](repeating: 0, count: 160) : ramp(chunk * 160..<(chunk + 1) * 160)
        }
        // A sink that fails after the call's end is not tried again.
        try await until("it has taken all") { probe.life.withLock { $0.end.frames } == 1920 }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        let sink = recording.sinks[0]
        // Each part takes two chunks and holds all but 100 frames of them, so the next one begins within a chunk.
        #expect(sink.files.count > 8 && sink.state == .complete)
        let isWhole = try sink.files.flatMap(bench.samples) == expected
        #expect(isWhole)
        #expect(sink.masked == 960 && sink.written == 960)
    }

    @Test func `an instance takes no more than its type can hold`() async throws {
        let bench = QueueBench(), workspace = try Workspace()
        _ = bench.push(4000)
        _ = bench.push(3000)
        bench.queue.close("the caller hung up")
        let job = SinkJob(places: [workspace.place()], queue: bench.queue)
        let report = await SinkService<ShortSink>.run(.init(), job)
        #expect(report.isFinished)
        #expect(report.written == 7000)
        #expect(report.details["parts"] == .array([2500, 2500, 2000].map { .object(["frames": .integer($0)]) }))
    }

    @Test func `a sink that fails is tried again, and goes on without a hole`() async throws {
        let probe = Probe()
        let bench = try CallBench([(probe, #"{"fails": "thirdWrite", "retry": 0.01}"#), (Probe(), "{}")])
        for _ in 0..<9 { bench.receive(160) }
        // A sink that fails after the call's end is not tried again.
        try await until("it has taken all") { probe.life.withLock { $0.end.frames } == 1440 }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        // Every part takes two chunks and fails at the third. The next part takes that chunk.
        let isWhole = try recording.sinks[0].files.flatMap(bench.samples) == ramp(0..<1440)
        #expect(isWhole)
        #expect(recording.sinks[0].state == .complete)
        #expect(recording.sinks[0].files.count == 5)
        #expect(recording.sinks[0].error?.hasPrefix("told to fail in thirdWrite") == true)
        #expect(recording.sinks[0].error?.contains("it continued after") == true)
        // The sink's last opening succeeded.
        #expect(bench.recorder.stations[0].health.problem == nil)
    }

    @Test func `what cannot be better next time is not tried again`() async throws {
        let bench = try CallBench([(Probe(), #"{"fails": "open", "retry": 0.01, "required": true}"#), (Probe(), "{}")])
        bench.receive(160)
        let recording = try await bench.published()
        #expect(recording.endReason.contains("cannot be opened") == true)
        #expect(recording.sinks[0].state == .failed)
    }

    @Test func `what is the options' fault is not tried again`() async throws {
        let bench = try CallBench([
            (Probe(), #"{"fails": "write", "isHopeless": true, "retry": 0.01}"#), (Probe(), "{}"),
        ])
        bench.receive(160)
        try await until("it has failed") { bench.log.values.contains { $0.hasPrefix("sink failed") } }
        #expect(!bench.log.values.contains("sink failed: continuing after a wait"))
        let recording = try await bench.end()
        #expect(recording.sinks.map(\.state) == [.failed, .complete])
        #expect(recording.sinks[0].blame == .options && recording.sinks[0].error?.contains("tried") == false)
    }

    @Test func `a sink whose failure ends the call is not tried again`() async throws {
        let bench = try CallBench([
            (Probe(), #"{"fails": "thirdWrite", "retry": 0.01, "onError": "stopCall"}"#), (Probe(), "{}"),
        ])
        for _ in 0..<5 { bench.receive(160) }
        try await until("it has failed") { bench.log.values.contains { $0.hasPrefix("sink failed") } }
        #expect(!bench.log.values.contains("sink failed: continuing after a wait"))
        let recording = try await bench.end()
        #expect(recording.sinks[0].state == .failed && recording.sinks[0].files.map(\.frames) == [320])
    }

    @Test func `a call that is over does not wait for the next try`() async throws {
        let bench = try CallBench([(Probe(), #"{"fails": "write", "retry": 3600}"#), (Probe(), "{}")])
        bench.receive(160)
        try await until("it has failed") { bench.log.values.contains("sink failed: continuing after a wait") }
        let recording = try await bench.end()
        #expect(recording.sinks[0].state == .failed)
        #expect(recording.sinks[0].error?.contains("1 further try failed") == true)
    }

    @Test func `a pause is silence, or nothing, or the audio, as the entry says`() async throws {
        let bench = try CallBench([
            (Probe(), "{}"), (Probe(), #"{"onPause": "skip"}"#), (Probe(), #"{"onPause": "record"}"#),
        ])
        bench.receive(1000)
        #expect(bench.session.pause(true))
        #expect(!bench.session.pause(true))
        #expect(bench.session.snapshot.isPaused)
        bench.receive(500)
        bench.receive(500)
        #expect(bench.session.pause(false))
        bench.receive(1000)
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        let before = ramp(0..<1000), after = ramp(2000..<3000)
        let heard = try recording.sinks.map { try $0.files.flatMap(bench.samples) }
        #expect(heard == [before + [Int16](repeating: 0, count: 1000) + after, before + after, ramp(0..<3000)])
        #expect(recording.sinks.map(\.written) == [2000, 2000, 3000])
        #expect(recording.sinks.map(\.masked) == [1000, nil, nil])
        #expect(recording.sinks.map(\.skipped) == [nil, 1000, nil])
        #expect(recording.sinks.map(\.onPause) == [nil, .skip, .record])
        #expect(recording.sinks.map(\.state) == [.complete, .complete, .complete])
        #expect(recording.events.map(\.type) == ["paused", "resumed"])
        #expect(recording.events.map(\.frame.frames) == [1000, 2000])
        #expect(!bench.session.pause(true))
    }
}

/// A sink without a file, whose format has a length limit.
private struct ShortSink: AudioSink {
    struct Options: Configurable {
        static let fields: [Field<Self>] = []
    }

    static let type = "short"
    static let summary = "Takes 2500 frames."
    private var frames = 0

    static func frameLimit(options: Options, format: AudioFormat) -> Int? { 2500 }

    init(options: Options, context: SinkContext) {}

    mutating func write(_ chunk: borrowing PCMChunk) { frames += chunk.frameCount }

    consuming func finish(_ end: CallEnd) -> SinkReceipt {
        SinkReceipt(frames: frames, details: ["frames": .integer(frames)])
    }
}
