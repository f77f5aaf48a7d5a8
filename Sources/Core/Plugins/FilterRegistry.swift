/// The filter types that configuration may ask for, by name.
public struct FilterRegistry: Sendable {
    /// A registered type: its name, summary and options, and the function that prepares it.
    public struct Entry: Sendable {
        /// The name in configuration.
        public let type: String
        /// What the filter does, in one line.
        public let summary: String
        /// Its options, for documentation.
        public let options: [OptionDescription]
        /// The JSON Schema (draft 2020-12) of an entry of this type.
        public let schema: JSONValue
        /// Reads options, reports every mistake, and returns the filter ready to be made.
        package let prepare: @Sendable (JSONValue, ConfigurationPath, inout [ConfigurationProblem]) -> PreparedFilter

        /// Describes a filter type.
        init<Filter: AudioFilter>(_ filter: Filter.Type) {
            type = Filter.type
            summary = Filter.summary
            options = OptionDescription.all(of: Filter.Options.self)
            schema = .object(Filter.Options.entrySchema(Filter.type, summary: Filter.summary, envelope: NoOptions.self))
            prepare = { value, path, problems in
                let before = problems.count
                let options = Filter.Options.read(value, at: path, alongside: ["type"], problems: &problems)
                if problems.count == before, let reason = Filter.refusal(options: options) {
                    problems.append(.init(at: path, reason))
                }
                return PreparedFilter(Filter.self, options: options)
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

    /// Adds a filter type.
    ///
    /// Traps if the name is malformed or registered already, or if an option is named `type`. These are programming
    /// errors.
    public mutating func register<Filter: AudioFilter>(_ filter: Filter.Type) {
        let type = Filter.type
        PluginName.check(type, "filter", isTaken: entries[type] != nil)
        PluginName.check(Filter.Options.fields.map(\.name), of: type, besides: ["type"])
        entries[type] = Entry(filter)
    }

    /// Reads the `filters` list of an entry, and reports every mistake in it.
    package func read(
        _ value: JSONValue, at path: ConfigurationPath, problems: inout [ConfigurationProblem]
    ) -> [PreparedFilter] {
        let known = types.map(\.type), example = known.first ?? "gain"
        guard case .array(let elements) = value else {
            problems.append(
                .init(at: path, "\(value.found) is not a list of filters such as [{\"type\": \"\(example)\"}]"))
            return []
        }
        if elements.count > Self.limit {
            problems.append(.init(at: path, "has \(elements.count) filters; \(Self.limit) are the most"))
        }
        var filters: [PreparedFilter] = []
        for (index, element) in elements.enumerated() {
            let place = path.index(index)
            let type = PluginEntry.type(
                of: element, at: place, family: "filter", known: known, example: example, problems: &problems)
            if let entry = type.flatMap({ self[$0] }) { filters.append(entry.prepare(element, place, &problems)) }
        }
        return filters
    }

    /// The JSON Schema (draft 2020-12) of an entry's `filters`.
    package var listSchema: JSONValue {
        .object([
            "type": "array", "description": .string(Self.help), "default": .array([]),
            "maxItems": .integer(Self.limit),
            "items": .entries(types.map { ($0.type, $0.summary, $0.schema) }, meaning: "The change of the audio."),
        ])
    }

    /// The most filters of one entry. The audio goes through them on one stack.
    private static let limit = 16

    /// The meaning of the key `filters`.
    package static let help = "Changes of the audio on its way to this sink only, in this order."
}

/// A filter type with its options, ready to be made.
package struct PreparedFilter: Sendable {
    /// The type and its options, for the manifest.
    package let json: JSONValue
    /// Makes the filter of one sink in one call.
    package let make: @Sendable (AudioFormat) throws(SinkError) -> any AudioFilter

    /// Prepares a filter type.
    init<Filter: AudioFilter>(_ filter: Filter.Type, options: Filter.Options) {
        json = .object(options.json.merging(["type": .string(Filter.type)]) { _, type in type })
        make = { format throws(SinkError) in try Filter(options: options, format: format) }
    }
}
