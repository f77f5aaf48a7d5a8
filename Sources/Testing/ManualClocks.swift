import CallreelCore
package import Foundation
import Synchronization

/// Clocks that a test moves.
package final class ManualClocks: ClockPair {
    private let origin: ContinuousClock.Instant = .now
    private let times: Mutex<(wall: Date, since: Duration)>

    /// Makes clocks at a time. They stand still.
    package init(_ date: Date = Date(timeIntervalSince1970: 1_790_000_000)) { times = Mutex((date, .zero)) }

    package var date: Date { times.withLock { $0.wall } }
    package var now: ContinuousClock.Instant { origin + times.withLock { $0.since } }

    /// Moves both clocks forward.
    package func advance(by seconds: Double) {
        times.withLock {
            $0.wall += seconds
            $0.since += .seconds(seconds)
        }
    }

    /// Sets the wall clock alone, as an operator may.
    package func setWall(_ date: Date) { times.withLock { $0.wall = date } }
}
