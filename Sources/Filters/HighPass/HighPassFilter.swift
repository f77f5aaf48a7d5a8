public import CallreelCore
import Foundation

/// Removes hum and rumble below a frequency, with 12 dB per octave.
///
/// A second-order Butterworth high-pass in its transposed direct form II, by the formulas of the Audio EQ Cookbook
/// (R. Bristow-Johnson, W3C Note of 2021, "HPF").
public struct HighPassFilter: AudioFilter {
    /// The options of a `{"type": "highpass"}` filter.
    public struct Options: Configurable {
        /// The frequency in hertz at which the level is 3 dB lower.
        public var frequency = 100.0

        /// Makes the options at their defaults.
        public init() {}

        public static let fields: [Field<Self>] = [
            .number(
                "frequency", \.frequency, in: 20...1000,
                "Hertz. Sound below it is removed, the more the deeper: 12 dB per octave.")
        ]
    }

    public static let type = "highpass"
    public static let summary = "removes hum and rumble below a frequency"

    private let b0, a1, a2: Double
    private let channels: Int
    /// The two delayed values of each channel.
    private var state: [(Double, Double)]

    /// Makes the filter.
    public init(options: Options, format: AudioFormat) {
        let angle = 2 * Double.pi * options.frequency / Double(format.sampleRate)
        // For a quality of 1/√2.
        let alpha = sin(angle) / 2 * 2.0.squareRoot(), norm = 1 + alpha
        b0 = (1 + cos(angle)) / 2 / norm
        a1 = -2 * cos(angle) / norm
        a2 = (1 - alpha) / norm
        channels = format.channels
        state = Array(repeating: (0, 0), count: format.channels)
    }

    public mutating func apply(_ chunk: PCMChunk, to output: inout FilterOutput) {
        guard chunk.origin == .call else {
            // The ringing of the audio before must not sound in a stretch of silence.
            state = Array(repeating: (0, 0), count: channels)
            return output.keep(chunk)
        }
        var samples = chunk.samples
        for channel in 0..<channels {
            var (first, second) = state[channel]
            for index in stride(from: channel, to: samples.count, by: channels) {
                let input = Double(samples[index]), result = b0 * input + first
                first = -2 * b0 * input - a1 * result + second
                second = b0 * input - a2 * result
                samples[index] = Int16(clipping: Float(result))
            }
            state[channel] = (first, second)
        }
        output.keep(chunk.replacingSamples(samples))
    }

    public mutating func finish(to output: inout FilterOutput) {
        state = Array(repeating: (0, 0), count: channels)
    }
}
