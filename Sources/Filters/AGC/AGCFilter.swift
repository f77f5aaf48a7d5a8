public import CallreelCore

/// Brings speech to one level: quiet talkers louder, loud ones quieter (automatic gain control).
///
/// The level is the mean square of the loudest channel over about 0.2 s. The gain falls within hundredths of a second
/// and rises within about a second. Below the gate, as in a pause of speech, it stays as it is, so that noise does not
/// swell.
public struct AGCFilter: AudioFilter {
    /// The options of a `{"type": "agc"}` filter.
    public struct Options: Configurable {
        /// The wanted level of speech in dBFS (RMS).
        public var target = -20.0
        /// The largest gain in decibels.
        public var maximum = 20.0
        /// The level in dBFS (RMS) below which the gain stays as it is.
        public var gate = -50.0

        /// Makes the options at their defaults.
        public init() {}

        public static let fields: [Field<Self>] = [
            .number("target", \.target, in: -40 ... -6, "The wanted level of speech in dBFS (RMS)."),
            .number("maximum", \.maximum, in: 0...40, "The largest gain in decibels."),
            .number("gate", \.gate, in: -80 ... -30, "The level in dBFS (RMS) below which the gain stays as it is."),
        ]
    }

    public static let type = "agc"
    public static let summary = "brings quiet and loud speech to one level"

    private static let levelSeconds = 0.2, fallSeconds = 0.02, riseSeconds = 0.5

    private let target, maximum: Float
    /// The mean square below which the gain stays as it is.
    private let gate: Float
    private let levelStep, fallStep, riseStep: Float
    private let channels: Int
    /// The mean square of the loudest channel.
    private var power: Float = 0
    /// The same over a tenth of the time, which tells at once that speech pauses.
    private var present: Float = 0
    private var gain: Float = 1

    /// Makes the filter.
    public init(options: Options, format: AudioFormat) {
        target = Float(decibels: options.target) * 32768
        maximum = Float(decibels: options.maximum)
        let level = Float(decibels: options.gate) * 32768
        gate = level * level
        func step(_ seconds: Double) -> Float { Float(1 / (seconds * Double(format.sampleRate))) }
        levelStep = step(Self.levelSeconds)
        fallStep = step(Self.fallSeconds)
        riseStep = step(Self.riseSeconds)
        channels = format.channels
    }

    public mutating func apply(_ chunk: PCMChunk, to output: inout FilterOutput) {
        guard chunk.origin == .call else { return output.keep(chunk) }
        var samples = chunk.samples
        for start in stride(from: 0, to: samples.count, by: channels) {
            var loudest: Float = 0
            for channel in 0..<channels { loudest = max(loudest, abs(Float(samples[start + channel]))) }
            power += (loudest * loudest - power) * levelStep
            present += (loudest * loudest - present) * fallStep
            if present > gate {
                let wanted = min(maximum, target / power.squareRoot())
                gain += (wanted - gain) * (wanted < gain ? fallStep : riseStep)
            }
            for channel in 0..<channels {
                samples[start + channel] = Int16(clipping: Float(samples[start + channel]) * gain)
            }
        }
        output.keep(chunk.replacingSamples(samples))
    }
}
