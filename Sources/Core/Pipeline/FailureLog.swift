/// Why a sink failed, place after place and round after round: the first round is told in full, and then the last reason.
struct FailureLog {
    private var first: SinkError?
    private(set) var last: SinkError?
    private var rounds = 0

    mutating func note(_ error: SinkError) {
        last = error
        if rounds == 0 { first = first.map { $0.followed(by: error) } ?? error }
    }

    mutating func endRound() { rounds += 1 }

    /// What stands in the manifest.
    func summary(isOver: Bool) -> SinkError? {
        guard let first, rounds > 0, let last else { return first }
        let times = "\(rounds) further time\(rounds == 1 ? "" : "s")"
        let end = isOver ? "it went on when it was tried \(times)" : "it was tried \(times), and failed: \(last)"
        return SinkError(last.code, "\(first); \(end)", blame: last.blame)
    }
}
