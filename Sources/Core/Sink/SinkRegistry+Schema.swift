extension SinkRegistry {
    /// The JSON Schema (draft 2020-12) of an entry of the `sinks` list: a registered type, and the keys of that type.
    ///
    /// It tests type by type, with `if` and `then`. So a validator names the wrong option, and an editor completes the
    /// keys of the entry's type. With `oneOf`, a validator could only say that an entry fits no type.
    package var entrySchema: JSONValue {
        let types = types
        let meaning = types.map { "\($0.type): \($0.summary)" }.joined(separator: "\n")
        let type: JSONValue = .object([
            "enum": .array(types.map { .string($0.type) }), "description": .string("What the sink makes.\n\(meaning)"),
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
