package import CallreelCore
import Foundation

/// A repeatable source of random numbers (Knuth's MMIX constants).
package struct Generator: RandomNumberGenerator {
    package var state: UInt64

    package init(state: UInt64) { self.state = state }

    package mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 33
    }
}

/// Returns samples different from silence and from their neighbours, so that a shift or a gap shows.
package func ramp(_ range: Range<Int>) -> [Int16] { range.map { Int16($0 % 30_000 + 1) } }

extension JSONValue {
    /// Reads JSON text in a test.
    package static func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Data(text.utf8)) }
}

extension AudioFormat {
    /// The format of most tests: the rate with the smallest buffers.
    package static let telephone = AudioFormat(sampleRate: 8000)
}
