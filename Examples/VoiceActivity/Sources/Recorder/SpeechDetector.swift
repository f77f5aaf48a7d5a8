import CallreelCore
import Foundation

/// Finds stretches of speech in one channel by their energy, in windows of 20 ms.
///
/// It takes one sample at a time, so the sizes of chunks change nothing. It knows no sink and no call.
struct SpeechDetector: Sendable {
    /// The beginning or the end of a stretch. Positions are in frames of the call.
    enum Change: Equatable, Sendable {
        case began(at: Int)
        case ended(at: Int, began: Int)
    }

    /// Level in dBFS of a line that carries nothing, not even noise. The smallest step of an 8-bit codec, such as
    /// G.711's, is at -72 dBFS.
    private static let silence = -65.0

    private let threshold: Double
    private let windowFrames: Int
    private let onset: Int
    private let hangover: Int

    private var floor = NoiseFloor()
    /// The position of the next sample.
    private var position: Int
    // The open window.
    private var count = 0, sum = 0, squares = 0
    /// The beginning of the open stretch; nil if nobody speaks.
    private var began: Int?
    /// The end of the last loud window.
    private var loudUntil = 0
    /// Loud windows without a gap, or quiet ones, up to now.
    private var loud = 0, quiet = 0

    /// Makes a detector for the audio from a frame on.
    init(_ options: VoiceActivityOptions, format: AudioFormat, at position: Int) {
        threshold = options.threshold
        windowFrames = format.frames(seconds: 0.02)
        onset = max(1, Int((options.onset / 0.02).rounded()))
        hangover = max(1, Int((options.hangover / 0.02).rounded()))
        self.position = position
    }

    /// Adds the next sample. Returns the change that it completes, if any.
    mutating func add(_ sample: Int16) -> Change? {
        position += 1
        count += 1
        sum += Int(sample)
        squares += Int(sample) * Int(sample)
        return count == windowFrames ? endWindow() : nil
    }

    /// Ends an open stretch, and goes on at another frame. The noise floor stays.
    mutating func interrupt(at next: Int) -> Change? {
        position = next
        (count, sum, squares, loud, quiet) = (0, 0, 0, 0, 0)
        return endStretch()
    }

    private mutating func endWindow() -> Change? {
        // The variance, so that a constant offset of the line is no energy.
        let energy = Double(squares * count - sum * sum) / Double(count * count)
        (count, sum, squares) = (0, 0, 0)
        let level = 10 * log10(energy) - 20 * log10(32768)
        if level > Self.silence { floor.add(level) }
        guard level > floor.level + threshold else {
            loud = 0
            quiet += 1
            return quiet >= hangover ? endStretch() : nil
        }
        quiet = 0
        loud += 1
        loudUntil = position
        guard began == nil, loud >= onset else { return nil }
        let start = position - loud * windowFrames
        began = start
        return .began(at: start)
    }

    private mutating func endStretch() -> Change? {
        defer { began = nil }
        return began.map { .ended(at: loudUntil, began: $0) }
    }
}
