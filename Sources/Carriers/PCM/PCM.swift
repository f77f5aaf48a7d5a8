public import CallreelCore

/// Any client that sends one text message with the format, and then binary messages of little-endian 16-bit PCM: a
/// script, a browser's microphone, a speech service's client.
public struct PCM: Carrier {
    public static let type = "pcm"
    public static let summary = "any client that sends a JSON text with the format, then binary 16-bit PCM"

    public init(options: PCMOptions, context: CarrierContext) throws(ConfigurationProblem) {}

    public func dialect(for admission: CarrierAdmission) -> PCMDialect { PCMDialect() }
}

/// The options of a `{"type": "pcm"}` entry. It has only the keys that every carrier has.
public struct PCMOptions: Configurable {
    /// Makes options with every value at its default.
    public init() {}

    public static let fields: [Field<Self>] = []
}
