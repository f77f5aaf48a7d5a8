/// A run of consecutive frames of one call. It is immutable, and all sinks share it without copying.
public struct PCMChunk: Sendable {
    /// Where the samples of a chunk come from.
    public enum Origin: Sendable {
        /// The call's audio, as the carrier sent it.
        case call
        /// Silence that Callreel inserted for audio that this sink was too slow to take.
        case silence
        /// Silence in place of the call's audio, because the recording is paused.
        case masked
    }

    /// The shape of the samples.
    public let format: AudioFormat
    /// The position of the first frame on the call's timeline.
    public let start: FramePosition
    /// The time at which the last of the chunk arrived.
    package let receivedAt: ContinuousClock.Instant
    /// The recording was paused when the chunk arrived.
    package let isPaused: Bool
    /// Where the samples come from. A converter of rates holds a little audio back, so after a conversion the first
    /// frames of a chunk may still be of the origin before.
    public let origin: Origin
    /// The samples, interleaved by channel. All sinks share them without copying.
    ///
    /// To pass them to a C library or write them to a file, borrow them with ``withSamples(_:)``.
    public let samples: [Int16]
    /// Returns the samples' memory to a pool when the chunk is released; nil if pooling is not worth it.
    private let memory: SampleMemory?

    /// Makes a chunk of interleaved samples. They must be whole frames.
    public init(samples: [Int16], format: AudioFormat, start: FramePosition, origin: Origin = .call) {
        self.init(samples: samples, format: format, start: start, isPaused: false, origin: origin)
    }

    /// Makes a chunk, with the state of the recording at its arrival. Later chunks may reuse its memory once it is
    /// released.
    package init(
        samples: [Int16], format: AudioFormat, start: FramePosition, isPaused: Bool, origin: Origin = .call,
        receivedAt: ContinuousClock.Instant = .now
    ) {
        precondition(samples.count.isMultiple(of: format.channels), "a chunk holds whole frames")
        self.samples = samples
        memory = SampleMemory(of: samples)
        self.format = format
        self.start = start
        self.isPaused = isPaused
        self.origin = origin
        self.receivedAt = receivedAt
    }

    /// Returns a chunk of digital silence.
    public static func silence(
        frames: Int, format: AudioFormat, start: FramePosition, origin: Origin = .silence
    ) -> PCMChunk {
        PCMChunk(
            samples: [Int16](repeating: 0, count: frames * format.channels), format: format, start: start,
            origin: origin)
    }

    /// Frames in the chunk.
    public var frameCount: Int { samples.count / format.channels }

    /// The position after the last frame.
    public var end: FramePosition { start + frameCount }

    /// Returns the chunk without its first frames; the whole chunk if there are none to remove.
    package func dropFirst(_ frames: Int) -> PCMChunk { self.frames(min(max(0, frames), frameCount)..<frameCount) }

    /// Returns the chunk's first frames; the whole chunk if it has no more.
    package func prefix(_ frames: Int) -> PCMChunk { self.frames(0..<min(max(0, frames), frameCount)) }

    /// Returns some of the chunk's frames, counted from its first, at their place on the timeline.
    public func frames(_ range: Range<Int>) -> PCMChunk {
        guard range != 0..<frameCount else { return self }
        return PCMChunk(
            samples: Array(samples[range.lowerBound * format.channels..<range.upperBound * format.channels]),
            format: format, start: start + range.lowerBound, isPaused: isPaused, origin: origin,
            receivedAt: receivedAt)
    }

    /// Returns the chunk with other samples, as many as before.
    public func replacingSamples(_ samples: [Int16]) -> PCMChunk {
        precondition(samples.count == self.samples.count, "as many samples as before")
        return PCMChunk(
            samples: samples, format: format, start: start, isPaused: isPaused, origin: origin, receivedAt: receivedAt)
    }

    /// The same stretch as silence, because the recording is paused.
    package var silenced: PCMChunk {
        PCMChunk(
            samples: [Int16](repeating: 0, count: samples.count), format: format, start: start, isPaused: isPaused,
            origin: .masked, receivedAt: receivedAt)
    }

    /// Lends the samples, interleaved by channel, in the machine's byte order.
    public func withSamples<Result, Failure: Error>(
        _ body: (Span<Int16>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(samples.span)
    }
}
