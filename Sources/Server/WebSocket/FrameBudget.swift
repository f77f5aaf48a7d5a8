import NIOCore

/// How many frames of a kind a connection may send: so many a second, and after a quiet time the burst of some seconds.
///
/// The clock is looked at once for each read of the socket; a frame costs a subtraction.
struct FrameBudget: Sendable {
    private let perSecond: Int
    private let most: Int
    private var left: Int
    private var refilled: NIODeadline?

    /// Makes a full budget.
    /// - Parameter seconds: how many seconds' worth may come at once.
    init(perSecond: Int, seconds: Int) {
        self.perSecond = perSecond
        most = perSecond * seconds
        left = most
    }

    /// Adds what the time since the last look allows.
    mutating func refill(now: NIODeadline) {
        let elapsed = now - (refilled ?? now)
        // Less than one frame is left to the next look, so that many short reads do not lose it.
        let gained = Int(min(Double(elapsed.nanoseconds) / 1e9 * Double(perSecond), Double(most)))
        guard refilled == nil || gained > 0 else { return }
        refilled = now
        left = min(most, max(left, 0) + gained)
    }

    /// Takes one frame; false when there was none left.
    mutating func take() -> Bool {
        left -= 1
        return left >= 0
    }
}
