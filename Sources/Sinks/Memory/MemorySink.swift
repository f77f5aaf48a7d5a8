public import CallreelCore
import Synchronization

/// Keeps calls in the memory of this process. Tests find them by a label: ``recordings(label:)``.
///
/// Two limits bound the memory:
/// - `seconds` limits a call. If a chunk would exceed it, the sink refuses the chunk and fails. Earlier chunks stay.
/// - `calls` limits the recordings under a label. A further call replaces the oldest ended one,
///   or is refused if none has ended.
///
/// A label's limits are those of the sink entry that opened last.
public struct MemorySink: ~Copyable, AudioSink {
    public static let type = "memory"
    public static let summary = "samples in the memory of this process, up to a bound, for tests"

    private let label: String
    private let id: RecordingID
    private let frameLimit: Int
    private var frames = 0

    /// Returns the recordings under a label, the oldest call first.
    public static func recordings(label: String) -> [MemoryRecording] { MemoryRecordings.shared.recordings(label) }

    /// Forgets the recordings under a label, except those of running calls.
    public static func forgetRecordings(label: String) { MemoryRecordings.shared.forget(label) }

    /// Adds an empty recording.
    /// - Throws: an error if the label's limit is reached and every call is still running.
    public init(options: MemoryOptions, context: SinkContext) throws(SinkError) {
        label = options.label
        id = context.recordingID
        frameLimit = options.seconds * context.format.sampleRate
        let recording = MemoryRecording(id: id, call: context.call, format: context.format)
        guard MemoryRecordings.shared.add(recording, label, limit: options.calls) else {
            throw SinkError(
                .open, "the label \"\(label)\" is at its limit of \(options.calls) calls being recorded",
                blame: .options)
        }
    }

    deinit { MemoryRecordings.shared.end(id, label, isFinished: false) }

    /// Appends the samples.
    /// - Throws: an error, without keeping any samples of the chunk, if the call would become too long.
    public mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        guard frames + chunk.frameCount <= frameLimit else {
            throw SinkError(
                .write,
                "holds \(frames) frames of the call; \(chunk.frameCount) more would exceed its limit of \(frameLimit)",
                blame: .options)
        }
        chunk.withSamples { samples in MemoryRecordings.shared.append(samples, to: id, label) }
        frames += chunk.frameCount
    }

    /// Marks the recording as finished.
    public consuming func finish(_ end: CallEnd) -> SinkReceipt {
        MemoryRecordings.shared.end(id, label, isFinished: true)
        return SinkReceipt(frames: frames, details: ["label": .string(label)])
    }
}

/// A call that a ``MemorySink`` holds.
public struct MemoryRecording: Sendable {
    /// The recording's identifier.
    public let id: RecordingID
    /// The caller, the called number and the other facts of the call.
    public let call: CallFacts
    /// The format of the samples.
    public let format: AudioFormat
    /// The samples recorded so far, interleaved by channel.
    public internal(set) var samples: [Int16] = []
    /// True when the sink was finished.
    public internal(set) var isFinished = false
    /// True while a sink still writes to the recording.
    var isOpen = true

    init(id: RecordingID, call: CallFacts, format: AudioFormat) {
        self.id = id
        self.call = call
        self.format = format
    }

    /// Frames recorded so far.
    public var frameCount: Int { samples.count / format.channels }
}

/// All recordings of this process's memory sinks, by label.
private final class MemoryRecordings: Sendable {
    static let shared = MemoryRecordings()

    private let labels = Mutex<[String: [MemoryRecording]]>([:])

    func recordings(_ label: String) -> [MemoryRecording] { labels.withLock { $0[label] ?? [] } }

    func forget(_ label: String) { labels.withLock { $0[label]?.removeAll { !$0.isOpen } } }

    /// Adds a recording. Removes ended recordings, the oldest first, if the label's limit is reached.
    /// Returns false if there is no room.
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

    /// Closes a recording. Removes it if it has no samples and was not finished,
    /// as when the sink was opened only as a test.
    func end(_ id: RecordingID, _ label: String, isFinished: Bool) {
        labels.withLock { labels in
            guard let index = labels[label]?.firstIndex(where: { $0.id == id && $0.isOpen }) else { return }
            labels[label]?[index].isOpen = false
            labels[label]?[index].isFinished = isFinished
            if !isFinished, labels[label]?[index].samples.isEmpty == true { labels[label]?.remove(at: index) }
        }
    }
}
