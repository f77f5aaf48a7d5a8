public import CallreelCore

/// Makes the audio louder or quieter by a constant factor. Samples beyond full scale are clipped.
public struct GainFilter: AudioFilter {
    /// The options of a `{"type": "gain"}` filter.
    public struct Options: Configurable {
        /// The change of the level in decibels.
        public var decibels = 6.0

        /// Makes the options with an example's value.
        public init() {}

        public static let fields: [Field<Self>] = [
            Field.number(
                "decibels", \.decibels, in: -60...60, "The change of the level: 6 doubles the samples, -6 halves them."
            ).required()
        ]
    }

    public static let type = "gain"
    public static let summary = "makes the audio louder or quieter"

    private let factor: Float

    /// Makes the filter.
    public init(options: Options, format: AudioFormat) { factor = Float(decibels: options.decibels) }

    public mutating func apply(_ chunk: PCMChunk, to output: inout FilterOutput) {
        output.keep(chunk.replacingSamples(chunk.samples.map { Int16(clipping: Float($0) * factor) }))
    }
}
