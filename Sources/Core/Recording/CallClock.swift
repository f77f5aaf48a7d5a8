import Foundation

/// The time of day during one call: the system's at its beginning, and from then on what has passed since.
///
/// So a system clock that is set meanwhile does not let a call end before it began, nor last for an hour that it did not.
struct CallClock: Sendable {
    /// When the call began.
    let start: Date
    private let origin: ContinuousClock.Instant

    /// Starts the clock of a call that begins now.
    init(start: Date = Date(), origin: ContinuousClock.Instant = .now) {
        self.start = start
        self.origin = origin
    }

    /// The time of day now.
    var now: Date { date(at: .now) }

    /// The time of day at a moment.
    func date(at moment: ContinuousClock.Instant) -> Date { start + max(0, (moment - origin) / .seconds(1)) }
}
