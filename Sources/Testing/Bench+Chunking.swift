import CallreelCore
import Foundation

/// A part of an outcome that the kit cannot interpret, but can compare: a file's bytes or a detail of the receipt.
private enum Result: Hashable {
    case file(String, Data)
    case detail(String, JSONValue)

    var name: String {
        switch self {
        case .file(let name, _): name
        case .detail(let name, _): "the detail \(name)"
        }
    }
}

extension Bench where Sink: ~Copyable {
    /// Checks that neither the chunks nor the first frame's position change the result.
    /// The position is not 0 after a failure or in a second part.
    mutating func checkChunking(_ take: Take) async {
        let call = take.call
        let uneven = ("uneven chunks (1, 319, 160, 2, 777, 3, 41 frames and so on)", [1, 319, 160, 2, 777, 3, 41])
        let cuts = [
            (uneven, FramePosition(7_340_033)), (uneven, .start), (("one chunk", [max(1, call.frames)]), .start),
        ]
        for ((chunks, lengths), start) in cuts {
            let what = "in \(chunks) from frame \(start.frames) on"
            let other = await compare(take, call.chunks(lengths, from: start), what, .chunking)
            // At another position, the times of the call differ.
            if let other, start == .start { await compareResults(other, take, what) }
        }
    }

    /// Checks that undecodable files have the same bytes, and that the details are equal.
    ///
    /// Results that change each time, such as the time of day, prove nothing.
    /// The kit therefore repeats a differing result with the first chunks, with a pause and without.
    /// It counts only if it is equal each time.
    private mutating func compareResults(_ other: Outcome, _ take: Take, _ what: String) async {
        var suspects = Self.results(take.outcome).subtracting(Self.results(other))
        for pause in [1_100_000, 0, 0] as [UInt32] where !suspects.isEmpty {
            let call = take.call, context = sandbox.room().context(call.format)
            guard
                let receipt = try? await Life<Sink>.run(
                    options, context, call.chunks(call.even), meddle: { if $0 == .finish { usleep(pause) } })
            else { return }
            suspects.formIntersection(Self.results(Outcome(receipt: receipt, files: Life<Sink>.files(context))))
        }
        guard let name = suspects.map(\.name).min() else { return }
        note(.chunking, "\(what): \(name) differs from the one in chunks of 20 ms", take.call.format)
    }

    private static func results(_ outcome: Outcome) -> Set<Result> {
        let files = outcome.files.filter { $0.audio == nil && $0.problem == nil }.map { Result.file($0.name, $0.data) }
        return Set(files + outcome.receipt.details.map { .detail($0.key, $0.value) })
    }
}
