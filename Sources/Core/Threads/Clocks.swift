package import Foundation

/// The wall clock and the monotonic clock.
///
/// Tests replace them, to move the time. An object that reads a clock often keeps the clocks of the task that makes it,
/// because ``current`` costs a search. The system's clocks cost the same through this value as without it.
package struct Clocks: Sendable {
    /// The clocks of the present task. A new `Task` has those of the task that makes it.
    @TaskLocal package static var current = Clocks()

    private let other: (any ClockPair)?

    /// Makes clocks.
    /// - Parameter other: clocks in place of the system's.
    package init(_ other: (any ClockPair)? = nil) { self.other = other }

    /// The time of the wall clock. It may be set, and may go back.
    package var date: Date { other?.date ?? Date() }

    /// The time of the monotonic clock. It goes on while the machine sleeps.
    package var now: ContinuousClock.Instant { other?.now ?? .now }
}

/// A wall clock and a monotonic clock in place of the system's.
package protocol ClockPair: AnyObject, Sendable {
    /// The time of the wall clock.
    var date: Date { get }
    /// The time of the monotonic clock.
    var now: ContinuousClock.Instant { get }
}
