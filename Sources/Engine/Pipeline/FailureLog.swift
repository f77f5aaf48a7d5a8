import CallreelCore

/// The errors of one sink, over all places and rounds. The summary tells the first round in full, then the last error.
struct FailureLog {
    private var first: SinkError?
    private(set) var last: SinkError?
    private var rounds = 0

    mutating func note(_ error: SinkError) {
        last = error
        if rounds == 0 { first = first.map { $0.followed(by: error) } ?? error }
    }

    mutating func endRound() { rounds += 1 }

    /// Returns the error for the manifest; nil if the sink never failed.
    /// - Parameter isOver: true if the sink came to its regular end after all.
    func summary(isOver: Bool) -> SinkError? {
        guard let first, rounds > 0, let last else { return first }
        let times = "\(rounds) further \(rounds == 1 ? "try" : "tries")"
        let end = isOver ? "it continued after \(times)" : "\(times) failed: \(last)"
        return SinkError(last.code, "\(first); \(end)", blame: last.blame)
    }
}
