import CallreelCore

/// Measures how long a sink holds its call back, and reports when the limit is exceeded.
///
/// While the call waits for the sink, the debt grows by the time that passes and shrinks by the audio that the sink
/// takes. So a sink faster than real time never gets into debt, however fast the audio arrives. A slower sink gets
/// deeper into debt with each wait, since only audio taken faster than real time pays a debt.
struct HoldMeter: Sendable {
    /// Seconds of debt allowed; nil is no limit.
    let limit: Double?
    /// Seconds for which the call waited for the sink.
    private(set) var held = 0.0
    /// Seconds by which the sink would be behind if the call did not wait for it.
    private(set) var debt = 0.0
    /// Frames per second.
    private let sampleRate: Double
    /// Frames taken by the sink since the last settlement.
    private var taken = 0
    private var settledAt: ContinuousClock.Instant
    /// Seconds of audio, beyond the time that passed, taken since the call last waited. `paidGain` is the maximum.
    private var gain = 0.0
    private var paidGain = 0.0

    /// Starts to measure, without debt.
    init(limit: Double?, format: AudioFormat, now: ContinuousClock.Instant) {
        self.limit = limit
        sampleRate = Double(format.sampleRate)
        settledAt = now
    }

    /// The sink has held the call back for longer than it may.
    var isExceeded: Bool { limit.map { debt > $0 } ?? false }

    /// Notes that the sink has advanced by so many frames on the timeline.
    mutating func take(_ frames: Int) { taken += frames }

    /// Accounts for the time since the last settlement.
    /// - Parameter isHeld: true if the call waited for the sink in that time.
    mutating func settle(now: ContinuousClock.Instant, isHeld: Bool) {
        let time = (now - settledAt) / .seconds(1)
        guard time > 0 else { return }
        let audio = Double(taken) / sampleRate
        settledAt = now
        taken = 0
        if isHeld {
            held += time
            debt = max(0, debt + time - audio)
            gain = 0
            paidGain = 0
        } else {
            // Chunks come in bursts: only a gain above the highest earlier one pays.
            gain += audio - time
            guard gain > paidGain else { return }
            debt = max(0, debt - (gain - paidGain))
            paidGain = gain
        }
    }

    /// Caps the debt at the limit because the sink has stalled.
    mutating func leaveBehind() { if let limit { debt = min(debt, limit) } }
}
