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
    private let clocks: Clocks

    /// Starts the clock at the beginning of a call.
    /// - Parameters:
    ///   - start: the time of day; nil reads the wall clock.
    ///   - origin: the same time by the monotonic clock; nil reads it.
    init(start: Date? = nil, origin: ContinuousClock.Instant? = nil, clocks: Clocks = .current) {
        self.clocks = clocks
        self.start = start ?? clocks.date
        self.origin = origin ?? clocks.now
    }

    /// The time of day now.
    var now: Date { date(at: moment) }

    /// The time of the monotonic clock now.
    var moment: ContinuousClock.Instant { clocks.now }

    /// Returns the time of day at a moment, never earlier than `start`.
    func date(at moment: ContinuousClock.Instant) -> Date { start + max(0, (moment - origin) / .seconds(1)) }
}
