/// Changes the rate of a stream of samples, piece by piece. One instance serves one stream, from one task.
///
/// The output does not depend on where the pieces are cut. It begins where the stream begins, and is as long as the
/// stream to within a frame.
package protocol RateConverter {
    /// Converts the next samples.
    /// - Parameters:
    ///   - samples: samples in ±1, interleaved by channel in whole frames.
    ///   - isLast: true if the stream ends with these samples. Then nothing is held back any more.
    /// - Returns: the samples ready so far. Later pieces may bring the rest.
    mutating func convert(_ samples: Span<Float>, isLast: Bool) throws(RateConverterError) -> [Float]
}

/// Makes a converter from one rate to another, for a number of channels.
package typealias RateConverterMaker =
    @Sendable (_ source: Int, _ target: Int, _ channels: Int) throws(RateConverterError) -> any RateConverter

/// A failure to convert a stream of samples.
package struct RateConverterError: Error, Sendable {
    /// The reason in words, with the rates concerned.
    package let reason: String
    /// True if the rates can never be converted; false for a failure of this one conversion.
    package let isOfRates: Bool

    /// Makes an error.
    package init(_ reason: String, isOfRates: Bool = false) {
        self.reason = reason
        self.isOfRates = isOfRates
    }
}

extension AudioFormat {
    /// Returns the frames of this format that last as long as so many of another, rounded down. Saturates on overflow.
    package func frames(_ count: Int, of other: AudioFormat) -> Int {
        let (high, low) = count.multipliedFullWidth(by: sampleRate)
        let estimate = Double(count) * Double(sampleRate) / Double(other.sampleRate)
        guard abs(estimate) < 0x1p62 else { return count < 0 ? .min : .max }
        return other.sampleRate.dividingFullWidth((high, low)).quotient
    }
}
