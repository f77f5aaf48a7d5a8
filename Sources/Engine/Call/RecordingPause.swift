import CallreelCore

/// The pause state of a call's recording: the first masked frame, and the frame at which the recording resumes.
///
/// A pause begins with the next received frame. Audio spoken before that frame but received later is masked too.
/// A request to resume does not end the pause at once. First, Callreel must read all audio received before the request.
/// Then a guard passes: a number of frames after that audio, and a time since the request.
/// So audio spoken in the pause but still on its way is never taken for later audio.
struct RecordingPause: Sendable {
    /// A request to resume the recording.
    private struct Resumption: Sendable {
        let askedAt: ContinuousClock.Instant
        /// Frames received once all earlier audio was read; nil until then.
        var drainedAt: Int?
    }

    /// The division of a chunk into a masked and a recorded part.
    struct Cut: Sendable {
        /// Masked frames at the chunk's beginning.
        var masked: Int
        /// The frame of the call at which the recording resumes; nil unless it resumes in this chunk.
        var clearFrom: Int?
    }

    /// Least time from the request to resume until the mask ends.
    private let guardTime: Duration
    private let guardFrames: Int
    /// The first masked frame; nil while the recording is not paused.
    private(set) var maskedFrom: Int?
    /// The frame and the time at which the recording last resumed.
    private(set) var clearFrom: Int?
    private(set) var clearAt: ContinuousClock.Instant?
    private var resumption: Resumption?

    /// Makes the state of a recording without a pause.
    /// - Parameter seconds: length of the guard.
    init(guard seconds: Double, format: AudioFormat) {
        guardTime = .seconds(seconds)
        guardFrames = format.frames(seconds: seconds)
    }

    /// True while received audio is masked.
    var isMasking: Bool { maskedFrom != nil }

    /// True while a request to resume is pending.
    var isResuming: Bool { resumption != nil }

    /// Returns the earliest frame at which the recording can resume, given the frames received so far.
    /// Returns nil without a request to resume.
    func earliestClear(received: Int) -> Int? { resumption.map { ($0.drainedAt ?? received) + guardFrames } }

    /// Pauses from a frame on, and cancels a request to resume. Returns false if the recording is paused already.
    mutating func pause(at frame: Int) -> Bool {
        resumption = nil
        guard maskedFrom == nil else { return false }
        maskedFrom = frame
        return true
    }

    /// Requests that the recording resume. Does nothing unless it is paused.
    mutating func resume(now: ContinuousClock.Instant) {
        guard isMasking, resumption == nil else { return }
        resumption = Resumption(askedAt: now)
    }

    /// Notes that all audio received before the request to resume has been read.
    mutating func drained(received: Int) {
        if let resumption, resumption.drainedAt == nil { self.resumption?.drainedAt = received }
    }

    /// Returns the masked part of a chunk that begins at frame `start`. Ends the pause if its end lies in the chunk.
    mutating func cut(start: Int, count: Int, now: ContinuousClock.Instant) -> Cut {
        guard isMasking else { return Cut(masked: 0) }
        guard let drainedAt = resumption?.drainedAt, let askedAt = resumption?.askedAt, now - askedAt >= guardTime
        else {
            return Cut(masked: count)
        }
        let clear = max(start, drainedAt + guardFrames)
        guard clear < start + count else { return Cut(masked: count) }
        end(at: clear, now: now)
        return Cut(masked: clear - start, clearFrom: clear)
    }

    /// Ends a pause without a guard, if all earlier audio was read. Returns true if the pause ended.
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
