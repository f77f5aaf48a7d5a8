import NIOCore

/// A limit on one kind of frame: a number per second on average, and a burst of several seconds' worth after a pause.
///
/// The clock is read once for each read of the socket. A frame costs one subtraction.
struct FrameBudget: Sendable {
    private let perSecond: Int
    private let most: Int
    private var left: Int
    private var refilled: NIODeadline?

    /// Makes a full budget.
    /// - Parameter seconds: seconds' worth of frames that may come at once.
    init(perSecond: Int, seconds: Int) {
        self.perSecond = perSecond
        most = perSecond * seconds
        left = most
    }

    /// Adds the frames earned since the last refill.
    mutating func refill(now: NIODeadline) {
        let elapsed = now - (refilled ?? now)
        // A gain of less than one frame waits for the next refill, so that many short reads do not lose it.
        let gained = Int(min(Double(elapsed.nanoseconds) / 1e9 * Double(perSecond), Double(most)))
        guard refilled == nil || gained > 0 else { return }
        refilled = now
        left = min(most, max(left, 0) + gained)
    }

    /// Takes one frame. Returns false if none was left.
    mutating func take() -> Bool {
        left -= 1
        return left >= 0
    }
}
