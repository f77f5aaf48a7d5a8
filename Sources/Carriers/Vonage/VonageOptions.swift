public import CallreelCore

/// The options of a `{"type": "vonage"}` entry.
public struct VonageOptions: Configurable {
    /// Frames a second to ask the carrier for.
    public var sampleRate = 16000
    /// The greeting. Empty says nothing.
    public var talk = "This call is being recorded."
    /// The account's signature secrets. Without one, no signature is asked for.
    public var signatureSecret: [Secret] = []
    /// Seconds that a signature's time may differ from this machine's.
    public var signatureAge = 300
    /// The account that signatures must name; nil takes any.
    public var apiKey: String?
    /// The application that signatures must name; nil takes any.
    public var applicationID: String?

    /// Makes options with every value at its default.
    public init() {}

    public static let fields: [Field<Self>] = [
        Field(
            "sampleRate", type: "8000, 16000 or 24000",
            schema: ["enum": .array(AudioFormat.supportedSampleRates.map(JSONValue.integer))],
            help: "Frames a second to ask the carrier for. What a call really has comes from its handshake.",
            read: { value, place, root, problems in
                if case .integer(let rate) = value, AudioFormat.supportedSampleRates.contains(rate) {
                    root.sampleRate = rate
                } else {
                    problems.append(.init(at: place, "\(value.found) is not 8000, 16000 or 24000"))
                }
            }, write: { .integer($0.sampleRate) }),
        .string("talk", \.talk, "The greeting for the caller. \"\" says nothing.") {
            $0.count > 1500 ? "is longer than the carrier's 1500 characters" : nil
        },
        .secrets(
            "signatureSecret", \.signatureSecret,
            "The account's signature secret. Webhooks and calls without a valid signature are then refused."
                + " Of a list, each is accepted. null asks for no signature."),
        .integer(
            "signatureAge", \.signatureAge, in: 1...86400,
            "Seconds that a signature's time may differ from this machine's."),
        .string("apiKey", \.apiKey, "The account that signatures must name; null takes any.") {
            $0.isEmpty ? "is empty" : nil
        },
        .string("applicationID", \.applicationID, "The application that signatures must name; null takes any.") {
            $0.isEmpty ? "is empty" : nil
        },
    ]
}
