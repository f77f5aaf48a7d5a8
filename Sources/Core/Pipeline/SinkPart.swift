/// A part of a sink's output that is open: one instance of the sink, and what it was given.
struct SinkPart: Sendable {
    /// What the instance was told, and its files.
    let context: SinkContext
    /// The frame of the call at which it begins.
    let begin: Int
    /// Frames, in the sink's shape, that it was given.
    var frames = 0

    /// More frames than any part can have, and few enough to count with.
    var frameBound: Int { 1 << 50 }

    /// The part's stretch of the timeline, up to a place; empty where the place lies before the beginning.
    func range(to end: Int) -> Range<Int> { begin..<max(begin, end) }

    /// What of a receipt does not agree with what the sink was given: how many frames it has at least, and what is wrong. Nil if all is right.
    func miscount(_ receipt: SinkReceipt) -> (held: Int, error: SinkError)? {
        if receipt.frames != frames {
            let reason = "its receipt has \(receipt.frames) frames, and it was given \(frames)"
            return (min(frames, max(0, receipt.frames)), SinkError(.finish, reason, blame: .bug))
        }
        let names = context.createdFiles
        for (name, count) in receipt.framesByFile.sorted(by: { $0.key < $1.key }) {
            if !names.contains(name) {
                return (frames, SinkError(.finish, "its receipt has \(count) frames for \(name), which it did not create", blame: .bug))
            }
            if !(0...frames).contains(count) {
                return (frames, SinkError(.finish, "its receipt has \(count) frames for \(name), and it was given \(frames)", blame: .bug))
            }
        }
        // Where it does not name all of its files, nobody knows what is in the others.
        guard !names.isEmpty, names.allSatisfy({ receipt.framesByFile[$0] != nil }) else { return nil }
        let sum = receipt.framesByFile.values.reduce(0, +)
        guard sum != frames else { return nil }
        return (min(sum, frames), SinkError(.finish, "its files have \(sum) frames in its receipt, and it was given \(frames)", blame: .bug))
    }
}
