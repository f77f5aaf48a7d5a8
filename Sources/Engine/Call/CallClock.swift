import CallreelCore
import Foundation

/// The time of day during one call: the system's time at its start, plus the time elapsed since then.
///
/// A change of the system clock during the call therefore cannot
/// make the call end before it began, nor distort its length.
struct CallClock: Sendable {
    /// The time the call began.
    let start: Date
    private let origin: ContinuousClock.Instant

    /// Starts the clock at the beginning of a call.
    init(start: Date = Date(), origin: ContinuousClock.Instant = .now) {
        self.start = start
        self.origin = origin
    }

    /// The time of day now.
    var now: Date { date(at: .now) }

    /// Returns the time of day at a moment, never earlier than `start`.
    func date(at moment: ContinuousClock.Instant) -> Date { start + max(0, (moment - origin) / .seconds(1)) }
}
