/// The sink types that configuration may ask for, by name.
public struct SinkRegistry: Sendable {
    /// A registered type: its name, summary and options, and the functions that use it.
    public struct Entry: Sendable {
        /// The name in configuration.
        public let type: String
        /// The sink's product, described in one line.
        public let summary: String
        /// Its options, for documentation.
        public let options: [OptionDescription]
        /// The JSON Schema (draft 2020-12) of an entry of this type, with the keys that every sink has.
        public let schema: JSONValue
        /// Reads options, reports every mistake, and returns the sink ready for calls.
        package let prepare: @Sendable (JSONValue, ConfigurationPath, inout [ConfigurationProblem]) -> PreparedSink
        /// ``AudioSink/repair(_:format:dryRun:)`` of the type.
        package let repair: @Sendable (String, AudioFormat, Bool) throws(SinkError) -> FileRepair?
        /// ``AudioSink/decode(_:format:into:)`` of the type.
        package let decode: @Sendable (String, AudioFormat, (Span<Int16>) -> Void) throws(SinkError) -> DecodedFile?

        /// Describes a sink type.
        init<Sink: AudioSink & ~Copyable>(_ sink: Sink.Type) {
            type = Sink.type
            summary = Sink.summary
            options = OptionDescription.all(of: Sink.Options.self)
            schema = .object(Sink.Options.entrySchema(Sink.type, summary: Sink.summary, envelope: SinkEnvelope.self))
            prepare = { value, path, problems in
                let options = Sink.Options.read(value, at: path, alongside: nil, problems: &problems)
                return PreparedSink(Sink.self, options: options)
            }
            repair = { path, format, dryRun throws(SinkError) in
                try Sink.repair(path, format: format, dryRun: dryRun)
            }
            decode = { path, format, body throws(SinkError) in try Sink.decode(path, format: format, into: body) }
        }
    }

    private var entries: [String: Entry] = [:]
    /// Makes rate converters; nil refuses entries that ask for another rate than the call's.
    package var rateConverter: RateConverterMaker?

    /// Makes an empty registry.
    public init() {}

    /// Every registered type, sorted by name.
    public var types: [Entry] { entries.values.sorted { $0.type < $1.type } }

    /// The type registered under a name.
    public subscript(type: String) -> Entry? { entries[type] }

    /// Adds a sink type.
    ///
    /// Traps if the name is malformed or registered already, or if an option hides a key that every sink has. These are
    /// programming errors.
    public mutating func register<Sink: AudioSink & ~Copyable>(_ sink: Sink.Type) {
        let type = Sink.type
        PluginName.check(type, "sink", isTaken: entries[type] != nil)
        PluginName.check(
            Sink.Options.fields.map(\.name), of: type, besides: ["type", "filters"] + SinkEnvelope.fields.map(\.name))
        entries[type] = Entry(sink)
    }
}

extension SinkRegistry {
    /// Returns the JSON Schema (draft 2020-12) of an entry of the `sinks` list.
    /// - Parameter filters: the filters that an entry may have.
    package func entrySchema(filters: FilterRegistry) -> JSONValue {
        let types = types.map { entry -> (String, String, JSONValue) in
            guard case .object(var schema) = entry.schema, case .object(var keys) = schema["properties"] else {
                return (entry.type, entry.summary, entry.schema)
            }
            // The key of every type, described once.
            keys["filters"] = true
            schema["properties"] = .object(keys)
            return (entry.type, entry.summary, .object(schema))
        }
        guard case .object(var schema) = JSONValue.entries(types, meaning: "The kind of output."),
            case .object(var keys) = schema["properties"]
        else { return true }
        keys["filters"] = filters.listSchema
        schema["properties"] = .object(keys)
        return .object(schema)
    }
}
