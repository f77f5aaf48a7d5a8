public import CallreelCore

/// Any client that sends one text message with the format, and then binary messages of little-endian 16-bit PCM: a
/// script, a browser's microphone, a speech service's client.
public struct PCM: Carrier {
    public static let type = "pcm"
    public static let summary = "any client that sends a JSON text with the format, then binary 16-bit PCM"
    public static let bringsTokens = false

    /// The parameter of the address for the key. A page in a browser cannot send an `Authorization` header.
    private static let parameter = "key"

    private let keys: [String]

    public init(options: PCMOptions, context: CarrierContext) throws(ConfigurationProblem) {
        keys = try options.key.values(at: context.place.key("key"))
    }

    public func admit(_ request: CarrierRequest) throws(CarrierRefusal) -> CarrierAdmission {
        guard !keys.isEmpty else { return CarrierAdmission() }
        let sent = request.credentials("Bearer") ?? request.query.first { $0.name == Self.parameter }?.value
        guard let sent else {
            throw CarrierRefusal(
                .unauthorized, "the key is missing; send \"Authorization: Bearer KEY\", or ?key=KEY in the address")
        }
        guard sent.isSameSecret(asOneOf: keys) else { throw CarrierRefusal(.unauthorized, "the key is wrong") }
        return CarrierAdmission()
    }

    public func dialect(for admission: CarrierAdmission) -> PCMDialect { PCMDialect() }
}

/// The options of a `{"type": "pcm"}` entry.
public struct PCMOptions: Configurable {
    /// The secrets that clients may send. Without one, no key is asked for.
    public var key: [Secret] = []

    /// Makes options with every value at its default.
    public init() {}

    public static let fields: [Field<Self>] = [
        .secrets(
            "key", \.key, minimum: 16,
            "The secret that each client must send, of 16 characters or more: as \"Authorization: Bearer KEY\", or as"
                + " ?key=KEY in the address. Of a list, each is accepted. null asks for no key.")
    ]
}
