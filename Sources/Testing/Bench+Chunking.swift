import CallreelCore
import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Something that a sink made of a call, and that nobody but its author can read: it is the same, or another.
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
    /// The same call cut differently, and beginning later on the timeline, as after a failure or in a second part.
    mutating func checkChunking(_ take: Take) async {
        let call = take.call
        let uneven = ("uneven chunks (1, 319, 160, 2, 777, 3, 41 frames and so on)", [1, 319, 160, 2, 777, 3, 41])
        let cuts = [(uneven, FramePosition(7_340_033)), (uneven, .start), (("one chunk", [max(1, call.frames)]), .start)]
        for ((chunks, lengths), start) in cuts {
            let what = "in \(chunks) from frame \(start.frames) on"
            let other = await compare(take, call.chunks(lengths, from: start), what, .chunking)
            // Elsewhere on the timeline, the times of the call are others.
            if let other, start == .start { await compareResults(other, take, what) }
        }
    }

    /// Expects the same bytes in files that cannot be decoded, and the same details.
    ///
    /// What is another each time, such as the time of day, says nothing. So whatever differs is made again in the first cut, at leisure
    /// and at once, and has to be there each time as it was.
    private mutating func compareResults(_ other: Outcome, _ take: Take, _ what: String) async {
        var suspects = Self.results(take.outcome).subtracting(Self.results(other))
        for pause in [1_100_000, 0, 0] as [UInt32] where !suspects.isEmpty {
            let call = take.call, context = sandbox.room().context(call.format)
            guard let receipt = try? await Life<Sink>.run(options, context, call.chunks(call.even), meddle: { if $0 == .finish { usleep(pause) } })
            else { return }
            suspects.formIntersection(Self.results(Outcome(receipt: receipt, files: Life<Sink>.files(context))))
        }
        guard let name = suspects.map(\.name).min() else { return }
        note(.chunking, "\(what): \(name) is another than in chunks of 20 ms", take.call.format)
    }

    private static func results(_ outcome: Outcome) -> Set<Result> {
        let files = outcome.files.filter { $0.audio == nil && $0.problem == nil }.map { Result.file($0.name, $0.data) }
        return Set(files + outcome.receipt.details.map { .detail($0.key, $0.value) })
    }
}
