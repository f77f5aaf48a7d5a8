import CallreelCore

/// An open part of a sink's output: one instance of the sink, and the frames given to it.
struct SinkPart: Sendable {
    /// The context given to the instance, with its files.
    let context: SinkContext
    /// The frame of the call at which the part begins.
    let begin: Int
    /// Frames given to the instance, in the sink's shape.
    var frames = 0

    /// A bound above the frames of any part, and small enough to calculate with.
    var frameBound: Int { 1 << 50 }

    /// Returns the part's stretch of the timeline up to a position; empty if the position lies before the beginning.
    func range(to end: Int) -> Range<Int> { begin..<max(begin, end) }

    /// Compares a receipt with the frames given to the sink. Returns nil if they agree; otherwise the least number of
    /// frames in the part, and the error.
    func miscount(_ receipt: SinkReceipt) -> (held: Int, error: SinkError)? {
        if receipt.frames != frames {
            let reason = "its receipt has \(receipt.frames) frames, but it was given \(frames)"
            return (min(frames, max(0, receipt.frames)), SinkError(.finish, reason, blame: .bug))
        }
        let names = context.createdFiles
        for (name, count) in receipt.framesByFile.sorted(by: { $0.key < $1.key }) {
            if !names.contains(name) {
                return (
                    frames,
                    SinkError(
                        .finish, "its receipt has \(count) frames for \(name), which it did not create", blame: .bug)
                )
            }
            if !(0...frames).contains(count) {
                return (
                    frames,
                    SinkError(
                        .finish, "its receipt has \(count) frames for \(name), but it was given \(frames)", blame: .bug)
                )
            }
        }
        // If the receipt does not name all files, the content of the others is unknown.
        guard !names.isEmpty, names.allSatisfy({ receipt.framesByFile[$0] != nil }) else { return nil }
        let sum = receipt.framesByFile.values.reduce(0, +)
        guard sum != frames else { return nil }
        return (
            min(sum, frames),
            SinkError(.finish, "its receipt has \(sum) frames for its files, but it was given \(frames)", blame: .bug)
        )
    }
}
