/// Ranges of a call's timeline, in order and apart from each other, counted in frames from the call's first.
///
/// In JSON each range is a pair `[from, to]`. The frame `from` belongs to the range, the frame `to` does not.
package struct FrameRanges: Hashable, Sendable {
    /// The ranges. None is empty, and none touches the next.
    package private(set) var ranges: [Range<Int>] = []

    /// Makes an empty list.
    package init() {}

    /// Makes a list of ranges in any order. The ranges may overlap.
    ///
    /// This takes the time of sorting, because a damaged manifest may name very many ranges in the worst order.
    /// Sorted ranges, or a few sorted lists in sequence, take linear time.
    package init(_ ranges: some Sequence<Range<Int>>) {
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) { insert(range) }
    }

    /// Number of frames in all ranges.
    package var frames: Int { ranges.reduce(0) { $0 + $1.count } }

    /// The list has no range.
    package var isEmpty: Bool { ranges.isEmpty }

    /// The end of the last range; nil if the list is empty.
    package var end: Int? { ranges.last?.upperBound }

    /// Adds a range. A frame already in the list counts once.
    ///
    /// Adding at the end takes constant time. To add many ranges elsewhere, make a list of them and take the union.
    package mutating func insert(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        if let last = ranges.last, last.upperBound >= range.lowerBound {
            return last.lowerBound <= range.lowerBound
                ? ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
                : insertInside(range)
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

    /// Returns the part of the list within the limits.
    package func clamped(to limits: Range<Int>) -> FrameRanges {
        var result = FrameRanges()
        for range in ranges { result.insert(range.clamped(to: limits)) }
        return result
    }

    /// Returns the list without the frames of another list.
    package func subtracting(_ other: FrameRanges) -> FrameRanges {
        var result = FrameRanges()
        var holes = other.ranges[...]
        for range in ranges {
            var low = range.lowerBound
            while let hole = holes.first, hole.lowerBound < range.upperBound {
                if hole.lowerBound > low { result.insert(low..<hole.lowerBound) }
                low = max(low, hole.upperBound)
                // A hole that extends beyond this range may also cut the next one.
                if hole.upperBound > range.upperBound { break }
                holes.removeFirst()
            }
            if low < range.upperBound { result.insert(low..<range.upperBound) }
        }
        return result
    }

    /// Returns the position of the call behind so many frames of a file, out of which these ranges were cut.
    ///
    /// Each stretch between two cuts is converted on its own, so the file has its length in the file's shape, rounded
    /// down.
    /// - Parameters:
    ///   - frames: frames of the file, in its shape.
    ///   - start: the frame of the call at which the file begins.
    ///   - shape: the shape of the file.
    ///   - call: the shape of the call.
    package func position(
        behind frames: Int, from start: Int, in shape: AudioFormat, of call: AudioFormat
    ) -> Int {
        var position = start, rest = frames
        for range in ranges where range.upperBound > start {
            let length = shape.frames(max(0, range.lowerBound - position), of: call)
            if rest < length { break }
            // The list's range follows the last of the frames: it does not lie before it.
            if rest == length { return max(position, range.lowerBound) }
            rest -= length
            position = max(position, range.upperBound)
        }
        return position + call.frames(rest, of: shape)
    }

    /// Returns the frames of both lists.
    package func union(_ other: FrameRanges) -> FrameRanges { FrameRanges(ranges + other.ranges) }
}

extension FrameRanges: Codable {
    /// Decodes pairs. Refuses a pair that ends before it begins or begins before frame 0,
    /// because a manifest may be damaged.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self.init(
            try container.decode([[Int]].self).map { pair in
                guard pair.count == 2, pair[0] >= 0, pair[0] <= pair[1] else {
                    throw DecodingError.dataCorruptedError(
                        in: container, debugDescription: "\(pair) is not a range of frames [from, to]")
                }
                return pair[0]..<pair[1]
            })
    }

    /// Encodes the ranges as pairs.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(ranges.map { [$0.lowerBound, $0.upperBound] })
    }
}
