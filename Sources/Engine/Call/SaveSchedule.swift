import CallreelCore
import Synchronization

/// The time at which a running call's manifest is next saved. Any thread may request a save. Nothing here blocks.
final class SaveSchedule: Sendable {
    /// Time between two saves for events, because they come in bursts and each save writes all of them.
    static let interval = Duration.seconds(1)
    /// Longest time between two saves on a slow disk.
    private static let longest = Duration.seconds(60)
    /// Time after a failed save.
    private static let retry = Duration.seconds(10)

    private struct State {
        /// The ledger on disk is out of date.
        var isUnsaved = false
        /// The earliest time for the next save.
        var next = Clocks.current.now
    }

    private let state = Mutex(State())
    private let bell: Bell

    /// Makes the schedule of a call whose manifest is up to date.
    /// - Parameter bell: wakes the task that saves.
    init(bell: Bell) { self.bell = bell }

    /// Notes that the ledger on disk is out of date. The next save brings it up to date.
    func note() { state.withLock { $0.isUnsaved = true } }

    /// Requests a save at once, because a sink has created a file. Without the save, a crash would leave the file
    /// without a known sink.
    func demand() {
        state.withLock { state in
            state.isUnsaved = true
            state.next = Clocks.current.now
        }
        bell.ring()
    }

    /// Returns true if a save is due.
    func isDue(_ now: ContinuousClock.Instant) -> Bool { state.withLock { $0.isUnsaved && now >= $0.next } }

    /// Takes a due save. The caller then reads the ledger and saves it.
    /// - Returns: the time of the next save; nil if none is due now.
    func take() -> ContinuousClock.Instant? {
        state.withLock { state in
            guard state.isUnsaved, Clocks.current.now >= state.next else { return nil }
            state.isUnsaved = false
            state.next = Clocks.current.now + Self.interval
            return state.next
        }
    }

    /// Spares a slow disk: delays the next save for events by 20 times the duration of the last one, at most 60
    /// seconds.
    /// - Parameter planned: the time of the next save. If it has changed, a file created during the last save has
    ///   requested a save at once, and that request stands.
    func spare(after duration: Duration, planned: ContinuousClock.Instant) {
        state.withLock { state in
            if state.next == planned {
                state.next = max(planned, Clocks.current.now + min(duration * 20, Self.longest))
            }
        }
    }

    /// Notes that a save has failed, and schedules the next one.
    func fail() {
        state.withLock { state in
            state.isUnsaved = true
            state.next = Clocks.current.now + Self.retry
        }
    }
}
