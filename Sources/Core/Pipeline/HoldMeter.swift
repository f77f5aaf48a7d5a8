/// Measures how long a sink holds its call back, and says when it has done so for too long.
///
/// While the call waits for the sink, the debt grows by the time that passes and shrinks by the audio that the sink takes. So a
/// sink that is faster than real time never gets into debt, however fast the audio comes. A sink that is slower gets deeper into
/// debt with each wait, since a debt is only paid by taking audio faster than real time.
struct HoldMeter: Sendable {
    /// Seconds of debt that the sink may have; nil is without a limit.
    let limit: Double?
    /// Seconds in which the call waited for the sink.
    private(set) var held = 0.0
    /// Seconds by which the sink is behind a call that would not wait for it.
    private(set) var debt = 0.0
    /// Frames that make a second.
    private let sampleRate: Double
    /// Frames that the sink has taken since the last settlement.
    private var taken = 0
    private var settledAt: ContinuousClock.Instant
    /// Seconds of audio, beyond the time that passed, that the sink has taken since the call last waited; and the most of it that there was.
    private var gain = 0.0
    private var paidGain = 0.0

    /// Starts to measure.
    init(limit: Double?, format: AudioFormat, now: ContinuousClock.Instant) {
        self.limit = limit
        sampleRate = Double(format.sampleRate)
        settledAt = now
    }

    /// Whether the sink has held the call back for longer than it may.
    var isExceeded: Bool { limit.map { debt > $0 } ?? false }

    /// The sink has come so many frames further on the timeline.
    mutating func take(_ frames: Int) { taken += frames }

    /// Accounts for the time since the last settlement, in which the call waited for the sink, or did not.
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
            // Chunks come in bursts: only a gain that was not there before pays.
            gain += audio - time
            guard gain > paidGain else { return }
            debt = max(0, debt - (gain - paidGain))
            paidGain = gain
        }
    }

    /// The sink was left behind: it starts again with all the debt that it may have.
    mutating func leaveBehind() { if let limit { debt = min(debt, limit) } }
}
