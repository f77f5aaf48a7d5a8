public import CallreelCore
import Synchronization

/// Keeps calls in the memory of this process, where a test finds them by a label: ``recordings(label:)``.
///
/// Two bounds hold whatever comes. A chunk that would make a call longer than `seconds` is not taken and fails the sink: what was taken
/// before stays. Under one label `calls` recordings are kept: a further call takes the place of the oldest one that is over, and is
/// refused when none is. A label's bounds are those of the entry that opened last.
public struct MemorySink: ~Copyable, AudioSink {
    public static let type = "memory"
    public static let summary = "samples in the memory of this process, up to a bound, for tests"

    private let label: String
    private let id: RecordingID
    private let frameLimit: Int
    private var frames = 0

    /// What was recorded under a label, the oldest call first.
    public static func recordings(label: String) -> [MemoryRecording] { MemoryRecordings.shared.recordings(label) }

    /// Forgets what was recorded under a label, but for calls that run.
    public static func forgetRecordings(label: String) { MemoryRecordings.shared.forget(label) }

    /// Makes room.
    public init(options: MemoryOptions, context: SinkContext) throws(SinkError) {
        label = options.label
        id = context.recordingID
        frameLimit = options.seconds * context.format.sampleRate
        let recording = MemoryRecording(id: id, call: context.call, format: context.format)
        guard MemoryRecordings.shared.add(recording, label, limit: options.calls) else {
            throw SinkError(.open, "\(options.calls) calls are being recorded under the label \"\(label)\", which is its limit", blame: .options)
        }
    }

    deinit { MemoryRecordings.shared.end(id, label, isFinished: false) }

    /// Appends the samples, if all of them may be kept.
    public mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        guard frames + chunk.frameCount <= frameLimit else {
            throw SinkError(
                .write, "holds \(frames) frames of the call; with \(chunk.frameCount) more it would be beyond its limit of \(frameLimit)",
                blame: .options)
        }
        chunk.withSamples { samples in MemoryRecordings.shared.append(samples, to: id, label) }
        frames += chunk.frameCount
    }

    /// Keeps the recording as one that came to its end.
    public consuming func finish() -> SinkReceipt {
        MemoryRecordings.shared.end(id, label, isFinished: true)
        return SinkReceipt(frames: frames, details: ["label": .string(label)])
    }
}

/// A call that a ``MemorySink`` holds.
public struct MemoryRecording: Sendable {
    /// The recording's identifier.
    public let id: RecordingID
    /// Who called whom.
    public let call: CallFacts
    /// The shape of the samples.
    public let format: AudioFormat
    /// What was recorded so far, interleaved by channel.
    public internal(set) var samples: [Int16] = []
    /// Whether the sink came to its regular end.
    public internal(set) var isFinished = false
    /// Whether a sink still writes to it.
    var isOpen = true

    init(id: RecordingID, call: CallFacts, format: AudioFormat) {
        self.id = id
        self.call = call
        self.format = format
    }

    /// Frames recorded so far.
    public var frameCount: Int { samples.count / format.channels }
}

/// All that the memory sinks of this process hold, by label.
private final class MemoryRecordings: Sendable {
    static let shared = MemoryRecordings()

    private let labels = Mutex<[String: [MemoryRecording]]>([:])

    func recordings(_ label: String) -> [MemoryRecording] { labels.withLock { $0[label] ?? [] } }

    func forget(_ label: String) { labels.withLock { $0[label]?.removeAll { !$0.isOpen } } }

    /// Adds a recording, in the place of older ones that are over; false when there is no room.
    func add(_ recording: MemoryRecording, _ label: String, limit: Int) -> Bool {
        labels.withLock { labels in
            var kept = labels[label] ?? []
            while kept.count >= limit {
                guard let oldest = kept.firstIndex(where: { !$0.isOpen }) else { return false }
                kept.remove(at: oldest)
            }
            labels[label] = kept + [recording]
            return true
        }
    }

    func append(_ samples: Span<Int16>, to id: RecordingID, _ label: String) {
        labels.withLock { labels in
            guard let index = labels[label]?.firstIndex(where: { $0.id == id && $0.isOpen }) else { return }
            unsafe samples.withUnsafeBufferPointer { unsafe labels[label]?[index].samples.append(contentsOf: $0) }
        }
    }

    /// Nobody writes to a recording any more. One that nothing was ever written to, as a sink that is only tried leaves it, goes.
    func end(_ id: RecordingID, _ label: String, isFinished: Bool) {
        labels.withLock { labels in
            guard let index = labels[label]?.firstIndex(where: { $0.id == id && $0.isOpen }) else { return }
            labels[label]?[index].isOpen = false
            labels[label]?[index].isFinished = isFinished
            if !isFinished, labels[label]?[index].samples.isEmpty == true { labels[label]?.remove(at: index) }
        }
    }
}
