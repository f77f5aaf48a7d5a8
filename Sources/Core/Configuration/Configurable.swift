/// A group of values that an operator may set in the JSON configuration: a sink's options, or a section of the file.
///
/// A conformer lists its keys once, in `fields`. Reading, checking, the example, `sinks describe` and the error
/// messages all come from that list. The defaults are the values after `init()`.
///
/// ```swift
/// struct MeterOptions: Configurable {
///     var interval = 1.0
///     static let fields: [Field<Self>] = [
///         .number("interval", \.interval, in: 0.1...60, "Seconds between two lines of levels.")
///     ]
/// }
/// ```
public protocol Configurable: Sendable {
    /// Makes a group with every value at its default.
    init()
    /// All keys, in the order in which documentation shows them.
    static var fields: [Field<Self>] { get }
}

/// The options of a plug-in that has none.
public struct NoOptions: Configurable {
    /// Makes the options.
    public init() {}

    public static let fields: [Field<Self>] = []
}

extension Configurable {
    /// Reads a group strictly: an unknown key, a wrong type or a value out of range is a problem with its path.
    ///
    /// Reports all mistakes, not only the first. A value with a mistake keeps its default.
    /// - Parameters:
    ///   - value: the value in the configuration.
    ///   - path: the value's path.
    ///   - others: keys of the same object that other code reads; nil if other code looks for unknown keys.
    ///   - problems: receives every mistake.
    public static func read(
        _ value: JSONValue, at path: ConfigurationPath, alongside others: [String]? = [],
        problems: inout [ConfigurationProblem]
    ) -> Self {
        var result = Self()
        guard case .object(let members) = value else {
            // In a group with secrets, the value here may be a misplaced secret.
            let found = fields.contains(where: \.isSecret) ? "this value" : value.found
            problems.append(
                .init(
                    at: path,
                    "\(found) is not an object with keys such as \(fields.map(\.name).joined(separator: ", "))"))
            return result
        }
        if let others {
            let known = others + fields.map(\.name)
            for name in members.keys.sorted() where !known.contains(name) {
                problems.append(.init(at: path.key(name), unknownKey(name, known: known)))
            }
        }
        for field in fields {
            if let member = members[field.name] {
                field.read(member, path.key(field.name), &result, &problems)
            } else if field.isRequired, !isMistyped(field.name, in: members) {
                let example = field.isSecret ? "" : ", such as \(field.write(Self()).found)"
                problems.append(
                    .init(at: path.key(field.name), "is missing; expected: \(field.type)\(example)"))
            }
        }
        return result
    }

    /// Returns true if the object has this key misspelt. It is then reported as an unknown key, and not as missing too.
    private static func isMistyped(_ name: String, in members: [String: JSONValue]) -> Bool {
        let known = fields.map(\.name)
        return members.keys.contains { !known.contains($0) && $0.nearest(in: [name]) != nil }
    }

    /// Every key with its current value.
    public var json: [String: JSONValue] {
        Dictionary(uniqueKeysWithValues: Self.fields.map { ($0.name, $0.write(self)) })
    }

    /// Returns the group as JSON Schema (draft 2020-12): each key with its type, range, meaning and default.
    /// A required key has an example instead of a default.
    /// - Parameter others: keys of the same object that other code reads, with their schemas.
    package static func schema(alongside others: [String: JSONValue] = [:]) -> [String: JSONValue] {
        let standard = Self().json
        var properties = others
        for field in fields {
            var schema = field.schema
            schema["description"] = .string(field.help)
            if field.isRequired {
                schema["examples"] = .array([standard[field.name] ?? .null])
            } else if schema["properties"] == nil || standard[field.name] == .null {
                schema["default"] = standard[field.name]
            }
            properties[field.name] = .object(schema)
        }
        var schema: [String: JSONValue] = [
            "type": "object", "additionalProperties": false, "properties": .object(properties),
        ]
        if !requiredKeys.isEmpty { schema["required"] = .array(requiredKeys.map(JSONValue.string)) }
        return schema
    }

    /// The required keys.
    package static var requiredKeys: [String] { fields.filter(\.isRequired).map(\.name) }

    private static func unknownKey(_ name: String, known: [String]) -> String {
        if let near = name.nearest(in: known) { return "unknown key; did you mean \"\(near)\"?" }
        return "unknown key; known keys are \(known.sorted().joined(separator: ", "))"
    }
}

extension JSONValue {
    /// The value in the form for error messages: shortened, never on two lines.
    public var found: String {
        let text = json()
        return text.count > 60 ? text.prefix(57) + "..." : text
    }
}
