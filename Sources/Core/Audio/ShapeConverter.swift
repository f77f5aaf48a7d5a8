/// Converts frames from one shape to another: fewer channels, another rate, more channels, in this order.
///
/// Samples are floating point in ±1. One instance serves one stream, from one task.
package struct ShapeConverter {
    /// The shape of the input.
    package let source: AudioFormat
    /// The shape of the result.
    package let target: AudioFormat
    /// Channels during the change of the rate. The converter of rates then has the least to do.
    private let narrow: Int
    private var rates: (any RateConverter)?

    /// Makes a converter.
    /// - Parameter maker: makes what changes the rate; needed if the rates differ.
    package init(from source: AudioFormat, to target: AudioFormat, maker: RateConverterMaker?)
        throws(RateConverterError)
    {
        self.source = source
        self.target = target
        narrow = min(source.channels, target.channels)
        guard source.sampleRate != target.sampleRate else { return }
        guard let maker else {
            throw RateConverterError(
                "no converter from \(source.sampleRate) Hz to \(target.sampleRate) Hz", isOfRates: true)
        }
        rates = try maker(source.sampleRate, target.sampleRate, narrow)
    }

    /// Converts the next frames. A change of rate may hold back a little of them.
    /// - Parameter isLast: true if the stream ends with these frames. Then nothing is held back any more.
    package mutating func convert(_ samples: [Float], isLast: Bool) throws(RateConverterError) -> [Float] {
        var output = Self.mix(samples, from: source.channels, to: narrow)
        if rates != nil { output = try rates?.convert(output.span, isLast: isLast) ?? [] }
        return Self.mix(output, from: narrow, to: target.channels)
    }

    /// Returns the mean of all channels in each of the new ones; the same samples for the same number of channels.
    package static func mix(_ samples: [Float], from source: Int, to target: Int) -> [Float] {
        if source == target { return samples }
        let frames = samples.count / source
        return unsafe [Float](unsafeUninitializedCapacity: frames * target) { buffer, count in
            for frame in 0..<frames {
                var sum: Float = 0
                for channel in 0..<source { sum += samples[frame * source + channel] }
                for channel in 0..<target { unsafe buffer[frame * target + channel] = sum / Float(source) }
            }
            count = frames * target
        }
    }
}

extension Float {
    /// A 16-bit sample in ±1.
    package init(sample: Int16) { self = Float(sample) / 32768 }
}

extension Int16 {
    /// The nearest 16-bit sample. Values beyond full scale are clipped: a filter may exceed it a little.
    package init(sample: Float) { self.init(Swift.max(-32768, Swift.min(32767, (sample * 32768).rounded()))) }
}
