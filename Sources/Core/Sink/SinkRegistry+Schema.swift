extension SinkRegistry {
    /// An entry of the `sinks` list as JSON Schema (draft 2020-12): a type that is registered, and what an entry of that type may say.
    ///
    /// It asks type by type, with `if` and `then`. With `oneOf`, a validator could only say that an entry fits no type; so it says
    /// which option is wrong, and an editor completes the keys of the type that stands there.
    package var entrySchema: JSONValue {
        let types = types
        let meaning = types.map { "\($0.type): \($0.summary)" }.joined(separator: "\n")
        let type: JSONValue = .object(["enum": .array(types.map { .string($0.type) }), "description": .string("What the sink makes.\n\(meaning)")])
        return .object([
            "type": "object", "required": .array(["type"]), "properties": .object(["type": type]),
            "allOf": .array(
                types.map { entry in
                    let isMeant: JSONValue = .object([
                        "type": "object", "required": .array(["type"]), "properties": .object(["type": .object(["const": .string(entry.type)])]),
                    ])
                    return .object(["if": isMeant, "then": entry.schema])
                }),
        ])
    }
}
