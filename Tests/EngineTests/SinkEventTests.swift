import CallreelSinks
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// What a sink is told besides samples: events, the origin of audio, the end, and what it may say itself.
@Suite struct SinkEventTests {
    private let diary = Diary()

    private func bench(
        _ keys: String = "", format: AudioFormat = .telephone, registry: SinkRegistry = .diaries
    ) throws -> CallBench {
        let entry = #"{"type": "diary", "diary": "\#(diary.name)"\#(keys.isEmpty ? "" : ", ")\#(keys)}"#
        return try CallBench([(Probe(), entry)], format: format, registry: registry)
    }

    @Test func `events come in order with the audio, at their frames`() async throws {
        let bench = try bench()
        bench.session.note("answered", data: [:])
        bench.receive(160)
        bench.receive(40)
        bench.session.note("dtmf", data: ["digit": "5"])
        bench.session.note("dtmf", data: ["digit": "6"])
        bench.receive(100)
        bench.session.note("hangup", data: [:])
        _ = try await bench.end("the caller hung up")
        #expect(
            diary.lines == [
                "open 0", "answered at 0", "call 0..<160", "call 160..<200", "dtmf 5 at 200", "dtmf 6 at 200",
                "call 200..<300", "hangup at 300", "end after 300: the caller hung up",
            ])
    }

    @Test func `a pause is told at its first frame and at its end, and its silence says what it is`() async throws {
        let bench = try bench()
        bench.receive(100)
        bench.session.pause(true)
        bench.receive(50)
        bench.session.pause(false)
        bench.receive(10)
        _ = try await bench.end()
        #expect(
            diary.lines == [
                "open 0", "call 0..<100", "paused at 100", "masked 100..<150", "resumed at 150", "call 150..<160",
                "end after 160: over, masked 50",
            ])
    }

    @Test func `the last part learns why the call ended, also if the call ends where the part is full`() async throws {
        let bench = try bench(#""partLength": 1"#)
        bench.receive(8000)
        bench.receive(8000)
        bench.session.note("hangup", data: [:])
        _ = try await bench.end("the caller hung up")
        #expect(
            diary.lines == [
                "open 0", "call 0..<8000", "end after 8000 of a part", "open 1 after 8000", "call 8000..<16000",
                "hangup at 16000", "end after 16000: the caller hung up",
            ])
    }

    @Test(arguments: [("silence", 3), ("record", 1)])
    func `words about input are hidden only from a sink that gets the audio of pauses`(onPause: String, kept: Int)
        async throws
    {
        let bench = try bench(#""onPause": "\#(onPause)", "emits": true, "word": "speechBegan""#)
        bench.receive(4000)
        bench.session.pause(true)
        bench.receive(4000)
        bench.session.pause(false)
        bench.receive(4000)
        let recording = try await bench.end()
        #expect(recording.events.count { $0.type == "speechBegan" } == kept)
        #expect(recording.maskedEvents == (kept == 3 ? nil : 2))
    }

    @Test func `a sink that leaves pauses out hears of the resumption where its next part begins`() async throws {
        let bench = try bench(#""onPause": "skip""#)
        bench.receive(100)
        bench.session.pause(true)
        bench.receive(50)
        bench.session.note("ringing", data: [:])
        bench.receive(50)
        bench.session.pause(false)
        bench.receive(10)
        _ = try await bench.end()
        #expect(
            diary.lines == [
                "open 0", "call 0..<100", "paused at 100", "end after 100 of a part", "open 1 after 100",
                "ringing at 150",
                "resumed at 200", "call 200..<210", "end after 210: over, skipped 100",
            ])
    }

    @Test func `a part that is full ends without a reason, and leaves its state to the next`() async throws {
        let bench = try bench(#""partLength": 1"#)
        bench.receive(7990)
        bench.receive(20)
        bench.session.note("dtmf", data: ["digit": "1"])
        bench.receive(5)
        _ = try await bench.end()
        #expect(
            diary.lines == [
                "open 0", "call 0..<7990", "call 7990..<8000", "end after 8000 of a part", "open 1 after 8000",
                "call 8000..<8010", "dtmf 1 at 8010", "call 8010..<8015", "end after 8015: over",
            ])
    }

    @Test func `an event stands at its frame in a sink with another rate, which holds audio back`() async throws {
        let bench = try bench(#""sampleRate": 16000"#, registry: .diariesAtAnyRate)
        bench.receive(1000)
        bench.session.note("dtmf", data: ["digit": "1"])
        bench.receive(1000)
        _ = try await bench.end()
        let lines = diary.lines
        let place = try #require(lines.firstIndex(of: "dtmf 1 at 2000"))
        #expect(lines[..<place].last?.hasSuffix("..<2000") == true, "\(lines)")
        #expect(lines[place + 1].hasPrefix("call 2000..<"), "\(lines)")
    }

    @Test func `silence for audio that a slow sink missed says so, and an event within it keeps its place`()
        async throws
    {
        let bench = try bench(#""buffer": 0.5, "holdLimit": 0, "stallLimit": 0.1, "waits": true"#)
        bench.receive(160)
        try await until("it waits") { diary.lines.last == "call 0..<160" }
        bench.receive(4000)
        bench.receive(1000)
        bench.session.note("dtmf", data: ["digit": "9"])
        bench.receive(200)
        diary.letGo()
        let recording = try await bench.end()
        #expect(recording.sinks[0].silence == 1200)
        let lines = diary.lines
        #expect(
            lines.suffix(5) == [
                "call 160..<4160", "silence 4160..<5160", "dtmf 9 at 5160", "silence 5160..<5360",
                "end after 5360: over, silence 1200",
            ], "\(lines)")
    }

    @Test func `an instance that goes on after a failure gets the events behind the audio that is safe`() async throws {
        let bench = try bench(#""retry": 0.01, "failsAt": 400"#)
        bench.receive(200)
        bench.session.note("dtmf", data: ["digit": "1"])
        bench.receive(200)
        bench.session.note("dtmf", data: ["digit": "2"])
        bench.receive(200)
        try await until("it has taken all") { diary.lines.last == "call 400..<600" }
        let recording = try await bench.end()
        #expect(recording.sinks[0].state == .complete && recording.sinks[0].written == 600)
        let lines = diary.lines
        let second = try #require(lines.firstIndex { $0.hasPrefix("open 1") })
        #expect(
            Array(lines[second...]) == ["open 1", "dtmf 2 at 400", "call 400..<600", "end after 600: over"], "\(lines)")
    }

    @Test func `events of a sink are in the manifest at their frames, even if it fails later`() async throws {
        let bench = try bench(#""emits": true, "failsAt": 400, "sampleRate": 16000"#, registry: .diariesAtAnyRate)
        for _ in 0..<5 { bench.receive(160) }
        bench.session.note("dtmf", data: ["digit": "1"])
        let recording = try await bench.end()
        #expect(recording.sinks[0].state == .failed)
        #expect(recording.events.contains { $0.type == "far" })
        let own = recording.events.filter { $0.sink == "diary" && $0.type != "far" }
        #expect(own.first?.type == "heard" && own.first?.frame == .start)
        #expect(own.allSatisfy { $0.frame.frames < 400 && ($0.type == "heard") == ($0.data["frames"] != nil) })
        #expect(recording.events.filter { $0.sink == nil }.map(\.type) == ["dtmf"])
        // Nothing that a sink says can be taken for a pause.
        #expect(own.contains { $0.type == "diary:paused" } && recording.pauses.isEmpty)
    }

    @Test func `events of a sink survive a crash`() async throws {
        let bench = try bench(#""emits": true"#)
        bench.receive(160)
        try await until("the ledger has it") {
            (try? bench.partialLedger())?.events.contains { $0.sink == "diary" } == true
        }
        _ = try await bench.end()
    }

    @Test func `sinks cannot crowd out the carrier's events`() async throws {
        let bench = try bench(#""emits": true, "emissions": 6000"#)
        bench.receive(160)
        try await until("it has said all") { diary.lines.last == "call 0..<160" }
        for _ in 0..<4000 { bench.session.note("dtmf", data: ["digit": "1"]) }
        let recording = try await bench.end()
        #expect(recording.events.count { $0.sink == nil } == 4000)
        #expect(recording.events.count { $0.sink != nil } == CallSession.eventLimit / 2)
        // One of each emission's two events is the report of a pause.
        #expect(recording.droppedEvents == 12_000 - CallSession.eventLimit / 2)
    }

    @Test(arguments: ["paused", "resumed", "settled"])
    func `no message of a carrier can say that the recording was paused`(type: String) async throws {
        let bench = try bench()
        bench.receive(100)
        bench.session.note(type, data: [:])
        await bench.recorder.note(type, data: ["by": "webhook"], of: CallFacts(carrier: "test", uuid: "U"))
        bench.receive(100)
        let recording = try await bench.end()
        #expect(recording.events.map(\.type) == ["test:\(type)", "test:\(type)"] && recording.pauses.isEmpty)
    }

    @Test func `a failure that cannot pass is not tried again, whoever is to blame`() async throws {
        let bench = try bench(#""retry": 0.01, "failsAt": 100, "isHopeless": true"#)
        for _ in 0..<2 { bench.receive(100) }
        try await until("it has failed") { bench.state(0) == .failed }
        let recording = try await bench.end()
        let sink = recording.sinks[0]
        #expect(sink.state == .failed && sink.blame == .destination)
        #expect(sink.error == "told to fail at 100: the service has gone", "\(sink.error ?? "")")
        #expect(diary.lines.filter { $0.hasPrefix("open") } == ["open 0"])
    }
}

/// Everything that a sink was told, in order.
final class Diary: Sendable {
    let name = UUID().uuidString
    private let state = Mutex<[String]>([])
    private let gate = Gate()
    private static let all = Mutex<[String: Diary]>([:])

    static func named(_ name: String) -> Diary { all.withLock { $0[name] } ?? Diary() }

    init() { Self.all.withLock { $0[name] = self } }

    var lines: [String] { state.withLock { $0 } }
    func note(_ line: String) { state.withLock { $0.append(line) } }
    func letGo() { gate.open() }
    func wait() { gate.wait() }
}

struct DiaryOptions: Configurable {
    var diary = ""
    /// The frame from which on the first instance fails; 0 is none.
    var failsAt = 0
    var isHopeless = false
    var emits = false
    var emissions = 1
    var word = "heard"
    var waits = false

    static let fields: [Field<Self>] = [
        .string("diary", \.diary, "The name of the diary."),
        .integer("failsAt", \.failsAt, in: 0...100_000, "The frame at which the first instance fails."),
        .boolean("isHopeless", \.isHopeless, "Whether the failure can pass."),
        .boolean("emits", \.emits, "Whether it reports events."),
        .integer("emissions", \.emissions, in: 1...10_000, "The number of events for a chunk."),
        .string("word", \.word, "The type of the events that it reports."),
        .boolean("waits", \.waits, "Whether it waits after its first chunk."),
    ]
}

/// A sink that writes down what it is told, and a raw file.
struct DiarySink: AudioSink, ~Copyable {
    static let type = "diary"
    static let summary = "What a sink is told."

    private struct Gone: Error, CustomStringConvertible { var description: String { "the service has gone" } }

    private let options: DiaryOptions
    private let diary: Diary
    private let context: SinkContext
    private let file: OutputFile
    private var frames = 0

    init(options: DiaryOptions, context: SinkContext) throws(SinkError) {
        self.options = options
        self.context = context
        diary = Diary.named(options.diary)
        file = try context.createFile("pcm")
        diary.note("open \(context.part)" + ((context.carried as? Int).map { " after \($0)" } ?? ""))
    }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        let start = chunk.start.frames, end = chunk.end.frames
        if options.emits {
            for _ in 0..<options.emissions {
                context.emit(type: options.word, at: chunk.start, data: ["frames": .integer(chunk.frameCount)])
                context.emit(type: "paused", at: chunk.start)
                // More than any call has.
                if options.emissions == 1 { context.emit(type: "far", at: FramePosition(.max)) }
            }
        }
        if options.failsAt > 0, context.part == 0, start >= options.failsAt {
            throw SinkError(
                .write, "told to fail at \(options.failsAt)", cause: Gone(), isRetryable: !options.isHopeless)
        }
        try chunk.withSamples { span throws(SinkError) in try unsafe file.write(span.bytes) }
        frames += chunk.frameCount
        diary.note("\(chunk.origin) \(start)..<\(end)")
        if options.waits, start == 0 { diary.wait() }
    }

    mutating func event(_ event: CallEvent) {
        diary.note("\(event.type)\(event.data["digit"]?.string.map { " " + $0 } ?? "") at \(event.frame.frames)")
    }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        var line = "end after \(end.frames)" + (end.reason.map { ": \($0)" } ?? " of a part")
        for (name, count) in [
            ("silence", end.silence), ("masked", end.masked), ("skipped", end.skipped), ("lost", end.lost),
        ]
        where count > 0 { line += ", \(name) \(count)" }
        diary.note(line)
        let receipt = SinkReceipt(frames: frames, framesByFile: [file.name: frames], carried: frames)
        try file.close()
        return receipt
    }

    static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        FileRepair(frames: (FileManager.default.contents(atPath: path)?.count ?? 0) / format.bytesPerFrame)
    }
}

extension SinkRegistry {
    static let diaries = {
        var registry = SinkRegistry()
        registry.register(DiarySink.self)
        return registry
    }()

    /// With a converter of rates.
    static let diariesAtAnyRate = {
        var registry = diaries
        registry.rateConverter = SinkRegistry.builtIn.rateConverter
        return registry
    }()
}
