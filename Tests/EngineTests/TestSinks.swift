import Foundation
import Synchronization

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// A list that many threads add to.
final class Collected<Element: Sendable>: Sendable {
    private let state = Mutex<[Element]>([])

    var values: [Element] { state.withLock { $0 } }
    var count: Int { state.withLock { $0.count } }

    func append(_ element: Element) { state.withLock { $0.append(element) } }
}

/// Blocks threads until the test opens it, once and for all.
final class Gate: Sendable {
    private let condition = NSCondition()
    private let state = Mutex((isOpen: false, waiting: 0))

    /// The number of threads waiting for it to open.
    var waiting: Int { state.withLock { $0.waiting } }

    func open() {
        condition.lock()
        state.withLock { $0.isOpen = true }
        condition.broadcast()
        condition.unlock()
    }

    func wait() {
        condition.lock()
        state.withLock { $0.waiting += 1 }
        while state.withLock({ !$0.isOpen }) { condition.wait() }
        state.withLock { $0.waiting -= 1 }
        condition.unlock()
    }
}

/// A test's view of its sink, found by the name in the sink's options.
final class Probe: Sendable {
    struct Life {
        var samples: [Int16] = []
        /// The position of each chunk's first frame.
        var starts: [FramePosition] = []
        var isInOrder = true
        var end = FramePosition.start
        var checkpoints = 0
        var contexts: [SinkContext] = []
        var isFinished = false
        var isGone = false
    }

    let name = UUID().uuidString
    /// Blocks the sink at the moment in its options.
    let gate = Gate()
    let life = Mutex(Life())
    /// While this is set, writes wait.
    let isHeld = Atomic(false)

    private static let all = Mutex<[String: Probe]>([:])

    static func named(_ name: String) -> Probe { all.withLock { $0[name] } ?? Probe() }

    init() { Self.all.withLock { $0[name] = self } }

    /// Blocks or throws at a moment, if the options ask for it.
    func reach(_ moment: Moment, _ options: ProbeOptions) throws(SinkError) {
        if options.blocks == moment { gate.wait() }
        if options.fails == moment {
            throw SinkError(
                .write, "told to fail in \(moment)", underlying: 28, blame: options.isHopeless ? .options : .destination
            )
        }
    }

    var samples: [Int16] { life.withLock { $0.samples } }
    var checkpoints: Int { life.withLock { $0.checkpoints } }
    var isFinished: Bool { life.withLock { $0.isFinished } }
    var isGone: Bool { life.withLock { $0.isGone } }
    var starts: [FramePosition] { life.withLock { $0.starts } }
    var contexts: [SinkContext] { life.withLock { $0.contexts } }
    /// The chunks came in order and without gaps between them.
    var isInOrder: Bool { life.withLock { $0.isInOrder } }
    /// The sink waits at the gate now.
    var isBlocked: Bool { gate.waiting > 0 }
}

/// A moment in a sink's life.
enum Moment: String, CaseIterable, Sendable { case never, open, write, thirdWrite, checkpoint, finish }

struct ProbeOptions: Configurable {
    var probe = ""
    var fails = Moment.never
    var blocks = Moment.never
    var obstructs = false
    var removesItsFile = false
    /// Frames held back from the file, as an encoder holds its block.
    var holds = 0
    /// Fails only if the path does not contain "fallback".
    var failsOnce = false
    /// The number of the failing write; 0 is none.
    var failsAtWrite = 0
    /// The number of the failing opening; 0 is none.
    var failsAtOpen = 0
    /// The percentage of writes failing by chance. Openings fail half as often.
    var failures = 0
    /// Frames by which the receipt is wrong.
    var miscounts = 0
    /// Only other options would mend its error.
    var isHopeless = false

    static let fields: [Field<Self>] = [
        .string("probe", \.probe, "The name of the probe that sees what happens."),
        .choice("fails", \.fails, "When the sink throws."),
        .choice("blocks", \.blocks, "When the sink blocks its thread until the probe's gate opens."),
        .boolean("obstructs", \.obstructs, "Whether the call cannot be published, until the obstacle is taken away."),
        .boolean("removesItsFile", \.removesItsFile, "Whether the file is gone when the sink has finished."),
        .integer("holds", \.holds, in: 0...100_000, "Frames that are held back from the file until the end."),
        .integer("failsAtWrite", \.failsAtWrite, in: 0...1000, "The write that fails; 0 is none."),
        .integer("failsAtOpen", \.failsAtOpen, in: 0...1000, "The opening that fails; 0 is none."),
        .integer("failures", \.failures, in: 0...100, "Writes in a hundred that fail."),
        .integer("miscounts", \.miscounts, in: -1_000_000...1_000_000, "Frames by which the receipt is wrong."),
        .boolean("isHopeless", \.isHopeless, "Whether it blames its options."),
        .boolean("failsOnce", \.failsOnce, "Whether it fails in its first place only."),
    ]
}

/// A sink that collects, fails or blocks, and leaves a raw file.
struct ProbeSink: AudioSink, ~Copyable {
    static let type = "probe"
    static let summary = "What tests look through."

    private let options: ProbeOptions
    private let probe: Probe
    private let file: OutputFile
    private var writes = 0
    private var frames = 0
    private var held: [Int16] = []

    init(options: ProbeOptions, context: SinkContext) throws(SinkError) {
        let probe = Probe.named(options.probe)
        probe.life.withLock { $0.contexts.append(context) }
        var options = options
        if options.failsOnce, context.fileStem.contains("fallback") {
            options.fails = .never
            options.failsAtWrite = 0
        }
        let openings = probe.life.withLock { $0.contexts.count }
        if openings == options.failsAtOpen || openings > 1 && Int.random(in: 0..<200) < options.failures {
            throw SinkError(.open, "told to fail at opening \(openings)")
        }
        let file = try context.createFile("pcm")
        try probe.reach(.open, options)
        self.options = options
        self.probe = probe
        self.file = file
    }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        writes += 1
        while probe.isHeld.load(ordering: .relaxed) { usleep(200) }
        if Int.random(in: 0..<100) < options.failures { throw SinkError(.write, "told to fail now and then") }
        try reach(.write)
        if writes == 3 { try reach(.thirdWrite) }
        if writes == options.failsAtWrite { throw SinkError(.write, "told to fail at write \(writes)") }
        let start = chunk.start, end = chunk.end
        let samples = chunk.withSamples { span in span.indices.map { span[$0] } }
        probe.life.withLock {
            $0.samples += samples
            $0.starts.append(start)
            $0.isInOrder = $0.isInOrder && start == $0.end
            $0.end = end
        }
        frames += chunk.frameCount
        held += samples
        let ready = Array(held.dropLast(options.holds))
        held = held.suffix(options.holds)
        try file.write(unsafe ready.span.bytes)
    }

    mutating func checkpoint() throws(SinkError) {
        probe.life.withLock { $0.checkpoints += 1 }
        try reach(.checkpoint)
    }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        try reach(.finish)
        try file.write(unsafe held.span.bytes)
        if options.removesItsFile { try? FileManager.default.moveItem(atPath: file.path, toPath: file.path + ".away") }
        if options.obstructs {
            let obstacle = (file.path as NSString).deletingPathExtension + ".json.final.new/x"
            try? FileManager.default.createDirectory(atPath: obstacle, withIntermediateDirectories: true)
        }
        probe.life.withLock { $0.isFinished = true }
        return SinkReceipt(
            frames: frames + options.miscounts, framesByFile: options.miscounts == 0 ? [file.name: frames] : [:],
            details: ["writes": .integer(writes)])
    }

    static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw SinkError(.open, "cannot read \(path)")
        }
        // A sample that begins no test's audio stands for an unusable header.
        if data.starts(with: [0x34, 0x12, 0x34, 0x12]) { throw SinkError(.open, "\(path) has no header") }
        return FileRepair(frames: data.count / format.bytesPerFrame, audioStart: 0)
    }

    deinit { probe.life.withLock { $0.isGone = true } }

    private func reach(_ moment: Moment) throws(SinkError) { try probe.reach(moment, options) }
}

struct MeterOptions: Configurable {
    var level = 5
    var unit: String?

    static let fields: [Field<Self>] = [
        .integer("level", \.level, in: 0...8, "How loud."),
        .string("unit", \.unit, "What it is measured in; null is decibels."),
    ]
}

/// A second sink: a class, with asynchronous verbs, and without a file.
final class MeterSink: AudioSink, Sendable {
    static let type = "meter"
    static let summary = "Measures nothing."

    private let level: Int
    private let frames = Atomic(0)

    init(options: MeterOptions, context: SinkContext) async throws(SinkError) { level = options.level }

    func write(_ chunk: borrowing PCMChunk) async throws(SinkError) {
        frames.wrappingAdd(chunk.frameCount, ordering: .relaxed)
        await Task.yield()
    }

    consuming func finish(_ end: CallEnd) async throws(SinkError) -> SinkReceipt {
        await Task.yield()
        return SinkReceipt(
            frames: frames.load(ordering: .relaxed), details: ["level": .integer(level), "peak": .number(-.infinity)])
    }
}

/// The sinks of this file, as a user would register their own.
let testRegistry = {
    var registry = SinkRegistry()
    registry.register(ProbeSink.self)
    registry.register(MeterSink.self)
    return registry
}()
