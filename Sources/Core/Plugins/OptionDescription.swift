/// One option of a plug-in type.
public struct OptionDescription: Sendable {
    /// The key.
    public let name: String
    /// The allowed values, in words.
    public let type: String
    /// The option's meaning.
    public let help: String
    /// The default, or an example if the option is required.
    public let standard: JSONValue
    /// The option must be given.
    public let isRequired: Bool

    /// Returns the descriptions of all options of a group.
    static func all<Options: Configurable>(of options: Options.Type) -> [OptionDescription] {
        let standard = Options().json
        return Options.fields.map {
            OptionDescription(
                name: $0.name, type: $0.type, help: $0.help, standard: standard[$0.name] ?? .null,
                isRequired: $0.isRequired)
        }
    }
}

extension Configurable {
    /// Returns the JSON Schema of an entry of a plug-in type with these options, and the keys that every entry has.
    /// - Parameter type: the type that the entry names; nil if it names none.
    static func entrySchema<Envelope: Configurable>(
        _ type: String?, summary: String, envelope: Envelope.Type
    ) -> [String: JSONValue] {
        let shared = Envelope.schema(alongside: type.map { ["type": .object(["const": .string($0)])] } ?? [:])
        guard case .object(let properties) = shared["properties"] else { return shared }
        let required = (type == nil ? [] : ["type"]) + requiredKeys
        return schema(alongside: properties).merging([
            "required": .array(required.map(JSONValue.string)), "description": .string(summary),
        ]) { _, new in new }
    }
}

extension JSONValue {
    /// Returns the JSON Schema (draft 2020-12) of an entry of a plug-in list: a registered type, and its keys.
    ///
    /// It tests type by type, with `if` and `then`. So a validator names the wrong option, and an editor completes the
    /// keys of the entry's type. With `oneOf`, a validator could only say that an entry fits no type.
    static func entries(_ types: [(type: String, summary: String, schema: JSONValue)], meaning: String) -> JSONValue {
        let list = types.map { "\($0.type): \($0.summary)" }.joined(separator: "\n")
        let type: JSONValue = .object([
            "enum": .array(types.map { .string($0.type) }), "description": .string("\(meaning)\n\(list)"),
        ])
        return .object([
            "type": "object", "required": .array(["type"]), "properties": .object(["type": type]),
            "allOf": .array(
                types.map { entry in
                    let isMeant: JSONValue = .object([
                        "type": "object", "required": .array(["type"]),
                        "properties": .object(["type": .object(["const": .string(entry.type)])]),
                    ])
                    return .object(["if": isMeant, "then": entry.schema])
                }),
        ])
    }
}
