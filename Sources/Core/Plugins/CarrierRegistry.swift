/// The carrier types that configuration may ask for, by name.
public struct CarrierRegistry: Sendable {
    /// A registered type: its name, summary and options, and the function that prepares it.
    public struct Entry: Sendable {
        /// The name in configuration.
        public let type: String
        /// The carrier, described in one line.
        public let summary: String
        /// Its options, for documentation.
        public let options: [OptionDescription]
        /// The JSON Schema (draft 2020-12) of an entry of this type, with the keys that every carrier has.
        public let schema: JSONValue
        /// The JSON Schema of the object under the type's name, which is short for a list of one.
        package let objectSchema: JSONValue
        /// The path of the first entry's WebSocket.
        package let standardPath: String
        /// The prefix of the first entry's webhooks.
        package let standardWebhooks: String
        /// Reads options, reports every mistake, and returns the carrier ready to be made.
        package let prepare: @Sendable (JSONValue, ConfigurationPath, inout [ConfigurationProblem]) -> PreparedCarrier

        /// Describes a carrier type.
        init<Kind: Carrier>(_ carrier: Kind.Type) {
            type = Kind.type
            summary = Kind.summary
            options = OptionDescription.all(of: Kind.Options.self)
            schema = .object(
                Kind.Options.entrySchema(Kind.type, summary: Kind.summary, envelope: CarrierEnvelope.self))
            objectSchema = .object(
                Kind.Options.entrySchema(nil, summary: Kind.summary, envelope: CarrierEnvelope.self))
            standardPath = Kind.standardPath
            standardWebhooks = Kind.standardWebhooks
            prepare = { value, path, problems in
                let options = Kind.Options.read(value, at: path, alongside: nil, problems: &problems)
                return PreparedCarrier(Kind.self, options: options)
            }
        }
    }

    private var entries: [String: Entry] = [:]
    /// The type of the one entry of a configuration that names no carrier; nil refuses such a configuration.
    package private(set) var standardType: String?

    /// Makes an empty registry.
    public init() {}

    /// Every registered type, sorted by name.
    public var types: [Entry] { entries.values.sorted { $0.type < $1.type } }

    /// The type registered under a name.
    public subscript(type: String) -> Entry? { entries[type] }

    /// Adds a carrier type.
    ///
    /// Traps if the name is malformed or registered already, or if an option hides a key that every carrier has. These
    /// are programming errors.
    /// - Parameters:
    ///   - carrier: the type to register.
    ///   - isStandard: true for the carrier of a configuration that names none.
    public mutating func register<Kind: Carrier>(_ carrier: Kind.Type, isStandard: Bool = false) {
        let type = Kind.type
        PluginName.check(type, "carrier", isTaken: entries[type] != nil)
        PluginName.check(
            Kind.Options.fields.map(\.name), of: type, besides: ["type"] + CarrierEnvelope.fields.map(\.name))
        entries[type] = Entry(carrier)
        if isStandard { standardType = type }
    }

    /// The JSON Schema (draft 2020-12) of an entry of the `carriers` list.
    package var entrySchema: JSONValue {
        .entries(
            types.map { ($0.type, $0.summary, $0.schema) }, meaning: "The system that sends the calls.")
    }
}

/// A carrier type with its options, ready to be made.
package struct PreparedCarrier: Sendable {
    /// The registered type.
    package let type: String
    /// Calls can bring tokens.
    package let bringsTokens: Bool
    /// The shape of the audio that calls will have, if known.
    package let format: AudioFormat?
    /// Makes the carrier. Reads its secrets, and may block for that.
    package let make: @Sendable (CarrierContext) throws(ConfigurationProblem) -> any AnyCarrier

    /// Prepares a carrier type.
    init<Kind: Carrier>(_ carrier: Kind.Type, options: Kind.Options) {
        type = Kind.type
        bringsTokens = Kind.bringsTokens
        format = Kind.format(options: options)
        make = { context throws(ConfigurationProblem) in
            CarrierBox(carrier: try Kind(options: options, context: context))
        }
    }
}

/// A carrier of any type.
package protocol AnyCarrier: Sendable {
    var webhooks: [CarrierWebhook] { get }
    func recognizes(_ request: CarrierRequest) -> CarrierRecognition
    func admit(_ request: CarrierRequest) throws(CarrierRefusal) -> CarrierAdmission
    func makeDialect(for admission: CarrierAdmission) -> any CarrierDialect
}

private struct CarrierBox<Kind: Carrier>: AnyCarrier {
    let carrier: Kind

    var webhooks: [CarrierWebhook] { carrier.webhooks }

    func recognizes(_ request: CarrierRequest) -> CarrierRecognition { carrier.recognizes(request) }

    func admit(_ request: CarrierRequest) throws(CarrierRefusal) -> CarrierAdmission { try carrier.admit(request) }

    func makeDialect(for admission: CarrierAdmission) -> any CarrierDialect { carrier.dialect(for: admission) }
}
