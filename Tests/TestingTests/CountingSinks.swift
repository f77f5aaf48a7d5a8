import CallreelCore
import Synchronization

/// A sink that counts frames and makes no file.
protocol CountingSink: AudioSink {
    var frames: Int { get set }
    init()
}

extension CountingSink {
    static var summary: String { "counts frames" }

    init(options: Options, context: SinkContext) throws(SinkError) { self.init() }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) { frames += chunk.frameCount }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        SinkReceipt(frames: frames, details: ["frames": .integer(frames)])
    }
}

struct NoOptions: Configurable {
    static let fields: [Field<Self>] = []
}

/// A sink without a flaw. Its receipt states how long it lived, a different time for each call.
struct PlainSink: CountingSink {
    typealias Options = NoOptions
    static let type = "plain"
    var frames = 0
    private let opened = ContinuousClock.now

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        SinkReceipt(
            frames: frames, details: ["age": .string("\(ContinuousClock.now - opened)"), "frames": .integer(frames)])
    }
}

struct NamelessSink: CountingSink {
    typealias Options = NoOptions
    static let type = "no-name"
    var frames = 0
}

struct SilentSink: CountingSink {
    typealias Options = NoOptions
    static let type = "silent"
    static let summary = " "
    var frames = 0
}

/// A sink with a default outside its range.
struct PickySink: CountingSink {
    struct Options: Configurable {
        var level = 12
        static let fields: [Field<Self>] = [.integer("level", \.level, in: 0...8, "How loud.")]
    }
    static let type = "picky"
    var frames = 0
}

/// A sink that writes another value of its option than it has read.
struct ForgetfulSink: CountingSink {
    struct Options: Configurable {
        var level = 5
        static let fields: [Field<Self>] = [
            Field("level", type: "whole number", schema: ["type": "integer"], help: "How loud.") {
                value, place, options, problems in
                guard case .integer(let level) = value else {
                    return problems.append(.init(at: place, "\(value.found) is not a whole number"))
                }
                options.level = level
            } write: {
                .integer($0.level + 1)
            }
        ]
    }
    static let type = "forgetful"
    var frames = 0
}

/// A sink with an unchecked option.
struct CredulousSink: CountingSink {
    struct Options: Configurable {
        var level = 5
        static let fields: [Field<Self>] = [
            Field("level", type: "whole number", schema: ["type": "integer"], help: "How loud.") {
                value, _, options, _ in
                if case .integer(let level) = value { options.level = level }
            } write: {
                .integer($0.level)
            }
        ]
    }
    static let type = "credulous"
    var frames = 0
}

/// A sink with an option named like an option of every sink.
struct HidingSink: CountingSink {
    struct Options: Configurable {
        var buffer = 5
        static let fields: [Field<Self>] = [.integer("buffer", \.buffer, in: 0...8, "How much.")]
    }
    static let type = "hiding"
    var frames = 0
}

/// A sink that reports the loudest sample of all calls as its own call's, and its opening time.
struct CommonPeakSink: CountingSink {
    typealias Options = NoOptions
    static let type = "commonPeak"
    private static let peak = Mutex<Int16>(0)
    var frames = 0
    private let opened = ContinuousClock.now

    init() { Self.peak.withLock { $0 = 0 } }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        frames += chunk.frameCount
        chunk.withSamples { span in
            for index in span.indices { Self.peak.withLock { $0 = max($0, span[index]) } }
        }
    }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        let age = ContinuousClock.now - opened
        return SinkReceipt(
            frames: frames, details: ["age": .string("\(age)"), "peak": .integer(Int(Self.peak.withLock { $0 }))])
    }
}

/// A class with asynchronous verbs, for one format alone. It refuses other formats only when it is opened.
final class MonoSink: AudioSink {
    typealias Options = NoOptions
    static let type = "mono"
    static let summary = "counts frames of one channel, and takes its time"
    private var frames = 0

    init(options: NoOptions, context: SinkContext) async throws(SinkError) {
        await Task.yield()
        if context.format.channels != 1 {
            throw SinkError(.open, "is for one channel, and not for \(context.format)", blame: .options)
        }
    }

    func write(_ chunk: borrowing PCMChunk) async throws(SinkError) {
        let count = chunk.frameCount
        await Task.yield()
        frames += count
    }

    consuming func finish(_ end: CallEnd) async throws(SinkError) -> SinkReceipt {
        await Task.yield()
        return SinkReceipt(frames: frames, details: ["frames": .integer(frames)])
    }
}

/// A sink that writes blocks of 600 frames, as an encoder does, and at most 3000 frames in one file.
struct BlockSink: ~Copyable, AudioSink {
    typealias Options = NoOptions
    static let type = "block"
    static let summary = "bare samples in blocks"
    static let blockFrames = 600
    private let file: OutputFile
    private let channels: Int
    private var frames = 0
    private var held: [Int16] = []

    static func frameLimit(options: NoOptions, format: AudioFormat) -> Int? { 3000 }

    init(options: NoOptions, context: SinkContext) throws(SinkError) {
        channels = context.format.channels
        file = try context.createFile("block")
    }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        frames += chunk.frameCount
        if frames > 3000 { throw SinkError(.write, "3000 frames are the most", blame: .bug) }
        chunk.withSamples { span in for index in span.indices { held.append(span[index]) } }
        let whole = held.count / (Self.blockFrames * channels) * Self.blockFrames * channels
        let ready = Array(held.prefix(whole))
        held.removeFirst(whole)
        try unsafe file.write(ready.span.bytes)
    }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        try unsafe file.write(held.span.bytes)
        let receipt = SinkReceipt(frames: frames)
        try file.close()
        return receipt
    }

    static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        try FlawedSink.repair(path, format: format, dryRun: dryRun)
    }
}
