/// Stretches of a call's timeline, in order and apart from each other, counted in frames from the call's first.
///
/// In JSON each stretch is a pair `[from, to]`: the frame `from` is in it, the frame `to` is not.
package struct FrameRanges: Hashable, Sendable {
    /// The stretches. None is empty, and none touches the next.
    package private(set) var ranges: [Range<Int>] = []

    /// Makes an empty list.
    package init() {}

    /// Makes a list of stretches that may come in any order and overlap. Takes the time that sorting them takes: a manifest may be damaged, and
    /// name a great many in the worst order. Stretches that are sorted already, or come from a few sorted lists, take linear time.
    package init(_ ranges: some Sequence<Range<Int>>) {
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) { insert(range) }
    }

    /// Frames in all stretches.
    package var frames: Int { ranges.reduce(0) { $0 + $1.count } }

    /// Whether there is no stretch.
    package var isEmpty: Bool { ranges.isEmpty }

    /// The end of the last stretch; nil where there is none.
    package var end: Int? { ranges.last?.upperBound }

    /// Adds a stretch. Frames that are in the list already count once. Adding at the end takes constant time; for many stretches that belong
    /// elsewhere, make a list of them and take the union.
    package mutating func insert(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        if let last = ranges.last, last.upperBound >= range.lowerBound {
            return last.lowerBound <= range.lowerBound
                ? ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound) : insertInside(range)
        }
        ranges.append(range)
    }

    private mutating func insertInside(_ range: Range<Int>) {
        let before = ranges.prefix { $0.upperBound < range.lowerBound }
        let touched = ranges.dropFirst(before.count).prefix { $0.lowerBound <= range.upperBound }
        let low = min(range.lowerBound, touched.first?.lowerBound ?? range.lowerBound)
        let high = max(range.upperBound, touched.last?.upperBound ?? range.upperBound)
        ranges.replaceSubrange(before.count..<before.count + touched.count, with: [low..<high])
    }

    /// The part of the list that lies in a stretch.
    package func clamped(to limits: Range<Int>) -> FrameRanges {
        var result = FrameRanges()
        for range in ranges { result.insert(range.clamped(to: limits)) }
        return result
    }

    /// The list without the frames of another one.
    package func subtracting(_ other: FrameRanges) -> FrameRanges {
        var result = FrameRanges()
        var holes = other.ranges[...]
        for range in ranges {
            var low = range.lowerBound
            while let hole = holes.first, hole.lowerBound < range.upperBound {
                if hole.lowerBound > low { result.insert(low..<hole.lowerBound) }
                low = max(low, hole.upperBound)
                // A hole that reaches into the next stretch is looked at again there.
                if hole.upperBound > range.upperBound { break }
                holes.removeFirst()
            }
            if low < range.upperBound { result.insert(low..<range.upperBound) }
        }
        return result
    }

    /// The frames of both lists.
    package func union(_ other: FrameRanges) -> FrameRanges { FrameRanges(ranges + other.ranges) }
}

extension FrameRanges: Codable {
    /// Reads pairs. A pair that ends before it begins, or begins before frame 0, is refused: a manifest may be damaged.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self.init(
            try container.decode([[Int]].self).map { pair in
                guard pair.count == 2, pair[0] >= 0, pair[0] <= pair[1] else {
                    throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(pair) is not a range of frames [from, to]")
                }
                return pair[0]..<pair[1]
            })
    }

    /// Writes pairs.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(ranges.map { [$0.lowerBound, $0.upperBound] })
    }
}
