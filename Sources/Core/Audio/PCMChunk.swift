/// A run of consecutive frames of one call, immutable, and shared by every sink without copying.
public struct PCMChunk: Sendable {
    /// The shape of the samples.
    public let format: AudioFormat
    /// Where the first frame stands on the call's timeline.
    public let start: FramePosition
    /// When the last of it arrived.
    let receivedAt: ContinuousClock.Instant
    /// Whether the recording was paused when it came.
    let isPaused: Bool
    /// The samples, interleaved by channel: the chunk's own, which whoever looks at them or keeps them shares with every other sink.
    ///
    /// Whoever hands them to a C library or writes them to a file borrows them with ``withSamples(_:)``.
    public let samples: [Int16]
    /// What has their memory used again, where that is worth it.
    private let memory: SampleMemory?

    /// Makes a chunk of interleaved samples, which must be whole frames.
    public init(samples: [Int16], format: AudioFormat, start: FramePosition) {
        self.init(samples: samples, format: format, start: start, isPaused: false)
    }

    /// Makes a chunk that came while the recording was paused, or not. Its memory may be another chunk's when nobody has this one any more.
    init(samples: [Int16], format: AudioFormat, start: FramePosition, isPaused: Bool, receivedAt: ContinuousClock.Instant = .now) {
        precondition(samples.count.isMultiple(of: format.channels), "a chunk holds whole frames")
        self.samples = samples
        memory = SampleMemory(of: samples)
        self.format = format
        self.start = start
        self.isPaused = isPaused
        self.receivedAt = receivedAt
    }

    /// A chunk of digital silence.
    public static func silence(frames: Int, format: AudioFormat, start: FramePosition) -> PCMChunk {
        PCMChunk(samples: [Int16](repeating: 0, count: frames * format.channels), format: format, start: start)
    }

    /// Frames in the chunk.
    public var frameCount: Int { samples.count / format.channels }

    /// The place after the last frame.
    public var end: FramePosition { start + frameCount }

    /// The chunk without its first frames; the whole chunk where there are none to take away.
    func dropFirst(_ frames: Int) -> PCMChunk {
        guard frames > 0 else { return self }
        return PCMChunk(
            samples: Array(samples.dropFirst(frames * format.channels)), format: format, start: start + frames, isPaused: isPaused,
            receivedAt: receivedAt)
    }

    /// The chunk's first frames; the whole chunk where it has no more.
    func prefix(_ frames: Int) -> PCMChunk {
        guard frames < frameCount else { return self }
        return PCMChunk(
            samples: Array(samples.prefix(frames * format.channels)), format: format, start: start, isPaused: isPaused, receivedAt: receivedAt)
    }

    /// Silence in place of the samples.
    var silenced: PCMChunk {
        PCMChunk(
            samples: [Int16](repeating: 0, count: samples.count), format: format, start: start, isPaused: isPaused, receivedAt: receivedAt)
    }

    /// Lends the samples, interleaved by channel, in the machine's byte order.
    public func withSamples<Result, Failure: Error>(
        _ body: (Span<Int16>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(samples.span)
    }
}
