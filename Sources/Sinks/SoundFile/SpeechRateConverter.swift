import CallreelCore

/// Converts the rate for a sink whose rate differs from the call's. Uses libsamplerate,
/// with 16-bit samples on both sides.
final class SpeechRateConverter: RateConverter {
    private var converter: SampleRateConverter

    /// Creates a converter for one stream.
    init(from source: Int, to target: Int, channels: Int) throws(CodecFailure) {
        converter = try SampleRateConverter(from: source, to: target, channels: channels)
    }

    func convert(_ samples: Span<Int16>, isLast: Bool) throws(RateConverterError) -> [Int16] {
        let input = samples.indices.map { Float(samples[$0]) / 32768 }
        var output: [Float] = []
        do throws(CodecFailure) {
            try converter.convert(input.span, isLast: isLast, appendingTo: &output)
        } catch {
            throw RateConverterError("cannot change the rate: \(error.reason)")
        }
        // A loud passage may exceed full scale a little after the filter.
        return output.map { Int16(max(-32768, min(32767, ($0 * 32768).rounded()))) }
    }
}
