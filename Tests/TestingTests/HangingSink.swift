import CallreelCore
import Foundation
import Synchronization

/// A sink with one verb that does not return until a test releases it.
struct HangingSink: ~Copyable, AudioSink {
    enum Verb: String, CaseIterable, Sendable {
        case none, open, write, checkpoint, finish, letGo, refusal, repair, decode
    }

    struct Options: Configurable {
        var verb = Verb.none
        static let fields: [Field<Self>] = [.choice("verb", \.verb, "The one that does not return.")]
    }

    static let type = "hanging"
    static let summary = "bare samples, late"

    /// One gate for each verb.
    private static let gates = Dictionary(uniqueKeysWithValues: Verb.allCases.map { ($0, Gate()) })

    private let verb: Verb
    private let file: OutputFile
    private var frames = 0
    private var isFinished = false

    /// Releases the waiting verbs.
    static func release(_ verb: Verb) { gates[verb]?.open() }

    private static func reach(_ moment: Verb, _ verb: Verb) { if moment == verb { gates[verb]?.wait() } }

    private static func verb(of path: String) -> Verb {
        Verb(rawValue: String(path.split(separator: ".").last ?? "")) ?? .none
    }

    static func refusal(of format: AudioFormat, options: Options) -> String? {
        reach(.refusal, options.verb)
        return nil
    }

    init(options: Options, context: SinkContext) throws(SinkError) {
        Self.reach(.open, options.verb)
        file = try context.createFile(options.verb.rawValue)
        verb = options.verb
    }

    deinit { if !isFinished { Self.reach(.letGo, verb) } }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        Self.reach(.write, verb)
        try chunk.withSamples { samples throws(SinkError) in try unsafe file.write(samples.bytes) }
        frames += chunk.frameCount
    }

    mutating func checkpoint() async throws(SinkError) { Self.reach(.checkpoint, verb) }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        Self.reach(.finish, verb)
        isFinished = true
        try file.synchronize()
        return SinkReceipt(frames: frames, framesByFile: [file.name: frames])
    }

    static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        reach(.repair, verb(of: path))
        return nil
    }

    static func decode(_ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void) throws(SinkError)
        -> DecodedFile?
    {
        reach(.decode, verb(of: path))
        return nil
    }
}

/// Blocks threads until the test opens it, once and for all.
private final class Gate: Sendable {
    private let condition = NSCondition()
    private let isOpen = Mutex(false)

    func open() {
        condition.lock()
        isOpen.withLock { $0 = true }
        condition.broadcast()
        condition.unlock()
    }

    func wait() {
        condition.lock()
        while !isOpen.withLock({ $0 }) { condition.wait() }
        condition.unlock()
    }
}
