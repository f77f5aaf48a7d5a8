/// The delivery types that configuration may ask for, by name.
public struct DeliveryRegistry: Sendable {
    /// A registered type: its name, summary and options, and the function that prepares it.
    public struct Entry: Sendable {
        /// The name in configuration.
        public let type: String
        /// What the delivery does, in one line.
        public let summary: String
        /// Its options, for documentation.
        public let options: [OptionDescription]
        /// The JSON Schema (draft 2020-12) of an entry of this type, with the keys that every delivery has.
        public let schema: JSONValue
        /// Reads options, reports every mistake, and returns the delivery ready to be made.
        package let prepare: @Sendable (JSONValue, ConfigurationPath, inout [ConfigurationProblem]) -> PreparedDelivery

        /// Describes a delivery type.
        init<Kind: Delivery>(_ delivery: Kind.Type) {
            type = Kind.type
            summary = Kind.summary
            options = OptionDescription.all(of: Kind.Options.self)
            schema = .object(
                Kind.Options.entrySchema(Kind.type, summary: Kind.summary, envelope: DeliveryEnvelope.self))
            prepare = { value, path, problems in
                let options = Kind.Options.read(value, at: path, alongside: nil, problems: &problems)
                return PreparedDelivery(Kind.self, options: options)
            }
        }
    }

    private var entries: [String: Entry] = [:]

    /// Makes an empty registry.
    public init() {}

    /// Every registered type, sorted by name.
    public var types: [Entry] { entries.values.sorted { $0.type < $1.type } }

    /// The type registered under a name.
    public subscript(type: String) -> Entry? { entries[type] }

    /// Adds a delivery type.
    ///
    /// Traps if the name is malformed or registered already, or if an option hides a key that every delivery has. These
    /// are programming errors.
    public mutating func register<Kind: Delivery>(_ delivery: Kind.Type) {
        let type = Kind.type
        PluginName.check(type, "delivery", isTaken: entries[type] != nil)
        PluginName.check(
            Kind.Options.fields.map(\.name), of: type, besides: ["type"] + DeliveryEnvelope.fields.map(\.name))
        entries[type] = Entry(delivery)
    }

    /// The JSON Schema (draft 2020-12) of an entry of the `deliveries` list.
    package var entrySchema: JSONValue {
        .entries(types.map { ($0.type, $0.summary, $0.schema) }, meaning: "The way on for finished recordings.")
    }
}

/// A delivery type with its options, ready to be made.
package struct PreparedDelivery: Sendable {
    /// The registered type.
    package let type: String
    /// The reason why the options cannot work at all, or nil.
    package let refusal: String?
    /// Returns the reason why the delivery cannot work on this machine now, or nil. Blocks.
    package let findObstacle: @Sendable () -> String?
    /// Makes the delivery. Reads its secrets, and may block for that.
    package let make: @Sendable (DeliveryContext) throws(ConfigurationProblem) -> any Delivery

    /// Prepares a delivery type.
    init<Kind: Delivery>(_ delivery: Kind.Type, options: Kind.Options) {
        type = Kind.type
        refusal = Kind.refusal(options: options)
        findObstacle = { Kind.obstacle(options: options) }
        make = { context throws(ConfigurationProblem) in try Kind(options: options, context: context) }
    }
}
