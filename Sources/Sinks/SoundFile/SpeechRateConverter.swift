import CallreelCore

/// What changes the rate for a sink that asks for another one than the call's: libsamplerate, with 16-bit samples at both ends.
final class SpeechRateConverter: RateConverter {
    private var converter: SampleRateConverter

    /// Makes a converter for one stream.
    init(from source: Int, to target: Int, channels: Int) throws(CodecFailure) {
        converter = try SampleRateConverter(from: source, to: target, channels: channels)
    }

    func convert(_ samples: Span<Int16>, isLast: Bool) throws(SinkError) -> [Int16] {
        let input = samples.indices.map { Float(samples[$0]) / 32768 }
        var output: [Float] = []
        do throws(CodecFailure) {
            try converter.convert(input.span, isLast: isLast, appendingTo: &output)
        } catch {
            throw error.sinkError(.write, "cannot change the rate")
        }
        // A loud passage may swing a little beyond full scale on its way through the filter.
        return output.map { Int16(max(-32768, min(32767, ($0 * 32768).rounded()))) }
    }
}
