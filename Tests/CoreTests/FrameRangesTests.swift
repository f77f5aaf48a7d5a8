import Foundation
import TestSupport
import Testing

@testable import CallreelCore

struct FrameRangesTests {
    @Test func stretchesThatTouchBecomeOne() {
        var ranges = FrameRanges()
        for range in [0..<10, 10..<20, 30..<40, 35..<50] { ranges.insert(range) }
        #expect(ranges.ranges == [0..<20, 30..<50])
        #expect(ranges.frames == 40)
    }

    /// Compares the results with the same operations on sets of single frames.
    @Test(arguments: 0..<200) func rangesBehaveLikeSetsOfFrames(seed: UInt64) {
        var random = Generator(state: seed)
        func list() -> [Range<Int>] {
            (0..<Int.random(in: 0...8, using: &random)).map { _ in
                let low = Int.random(in: 0...60, using: &random)
                return low..<low + Int.random(in: 0...12, using: &random)
            }
        }
        let first = list(), second = list()
        let one = FrameRanges(first), other = FrameRanges(second)
        let ones = Set(first.joined()), others = Set(second.joined())
        func frames(_ ranges: FrameRanges) -> [Int] { ranges.ranges.flatMap(Array.init) }
        #expect(frames(one) == ones.sorted())
        #expect(frames(one.subtracting(other)) == ones.subtracting(others).sorted())
        #expect(frames(one.union(other)) == ones.union(others).sorted())
        #expect(frames(one.clamped(to: 10..<40)) == ones.filter { (10..<40).contains($0) }.sorted())
        for (left, right) in zip(one.ranges, one.ranges.dropFirst()) { #expect(left.upperBound < right.lowerBound) }
    }

    /// Tests that the time does not grow with the square of the number of ranges. That would take many minutes.
    @Test(.timeLimit(.minutes(1))) func manyStretchesInAnyOrderAreTakenIn() throws {
        let even = (0..<100_000).map { $0 * 4..<$0 * 4 + 1 }, odd = even.map { $0.lowerBound + 2..<$0.upperBound + 2 }
        let one = FrameRanges(even.reversed())
        #expect(one.ranges == even)
        let both = one.union(FrameRanges(odd))
        #expect(both.ranges == (0..<200_000).map { $0 * 2..<$0 * 2 + 1 })
        let text =
            "[" + both.ranges.reversed().map { "[\($0.lowerBound),\($0.upperBound)]" }.joined(separator: ",") + "]"
        #expect(try JSONDecoder().decode(FrameRanges.self, from: Data(text.utf8)) == both)
    }

    @Test func pairsAreReadAndWritten() throws {
        let ranges = FrameRanges([0..<320, 640..<960])
        let data = try JSONEncoder().encode(ranges)
        #expect(String(decoding: data, as: UTF8.self) == "[[0,320],[640,960]]")
        #expect(try JSONDecoder().decode(FrameRanges.self, from: data) == ranges)
    }

    @Test(arguments: ["[[5,3]]", "[[-1,3]]", "[[1]]", "[[1,2,3]]", "[[0,1e30]]", "[1]"]) func damagedPairsAreRefused(
        text: String
    ) {
        #expect(throws: (any Error).self) { try JSONDecoder().decode(FrameRanges.self, from: Data(text.utf8)) }
    }
}
