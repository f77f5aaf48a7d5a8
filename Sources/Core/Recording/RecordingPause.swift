/// Whether a call's recording is paused, and from which frame to which.
///
/// A pause begins with the next frame that is received: what was spoken before it and is received later is masked too. It does not end
/// where it is asked to: first everything is read that has come before, and then a guard passes, by the clock and in frames. So audio
/// that was spoken in the pause and was still on its way is never taken for what comes after it.
struct RecordingPause: Sendable {
    /// Someone wants the recording to go on.
    private struct Resumption: Sendable {
        let askedAt: ContinuousClock.Instant
        /// Frames that were received when nothing was left that had come before; nil as long as it is not known.
        var drainedAt: Int?
    }

    /// What a chunk is to be.
    struct Cut: Sendable {
        /// Frames at its beginning that are masked.
        var masked: Int
        /// The frame of the call at which the recording goes on, if it does so in this chunk.
        var clearFrom: Int?
    }

    /// Seconds for which the mask stays after everything was read.
    private let guardTime: Duration
    private let guardFrames: Int
    /// The first frame that is masked; nil while the recording is not paused.
    private(set) var maskedFrom: Int?
    /// The frame at which the recording went on the last time, and when.
    private(set) var clearFrom: Int?
    private(set) var clearAt: ContinuousClock.Instant?
    private var resumption: Resumption?

    /// Makes the state of a call that is recorded.
    /// - Parameter seconds: how long the guard is.
    init(guard seconds: Double, format: AudioFormat) {
        guardTime = .seconds(seconds)
        guardFrames = format.frames(seconds: seconds)
    }

    /// Whether what comes now is masked.
    var isMasking: Bool { maskedFrom != nil }

    /// Whether the recording goes on as soon as that is safe.
    var isResuming: Bool { resumption != nil }

    /// The earliest frame at which the recording can go on, once it was asked for, when so many frames have been received.
    func earliestClear(received: Int) -> Int? { resumption.map { ($0.drainedAt ?? received) + guardFrames } }

    /// Pauses from a frame on. Returns false if it is paused already; one that was to be resumed stays paused.
    mutating func pause(at frame: Int) -> Bool {
        resumption = nil
        guard maskedFrom == nil else { return false }
        maskedFrom = frame
        return true
    }

    /// Asks for the recording to go on.
    /// - Parameter isDrained: whether there is nothing that could still be read of what was spoken before.
    mutating func resume(received: Int, now: ContinuousClock.Instant, isDrained: Bool) {
        guard isMasking, resumption == nil else { return }
        resumption = Resumption(askedAt: now, drainedAt: isDrained ? received : nil)
    }

    /// Everything was read that had come when the recording was asked to go on.
    mutating func drained(received: Int) {
        if let resumption, resumption.drainedAt == nil { self.resumption?.drainedAt = received }
    }

    /// Says what of a chunk that begins at a frame is masked.
    mutating func cut(start: Int, count: Int, now: ContinuousClock.Instant) -> Cut {
        guard isMasking else { return Cut(masked: 0) }
        guard let drainedAt = resumption?.drainedAt, let askedAt = resumption?.askedAt, now - askedAt >= guardTime else {
            return Cut(masked: count)
        }
        let clear = max(start, drainedAt + guardFrames)
        guard clear < start + count else { return Cut(masked: count) }
        end(at: clear, now: now)
        return Cut(masked: clear - start, clearFrom: clear)
    }

    /// Ends a pause without a guard, if it has none and everything was read. Returns whether it did.
    mutating func endWithoutGuard(received: Int, now: ContinuousClock.Instant) -> Bool {
        guard guardFrames == 0, guardTime <= .zero, resumption?.drainedAt != nil else { return false }
        end(at: received, now: now)
        return true
    }

    private mutating func end(at frame: Int, now: ContinuousClock.Instant) {
        maskedFrom = nil
        resumption = nil
        clearFrom = frame
        clearAt = now
    }
}
