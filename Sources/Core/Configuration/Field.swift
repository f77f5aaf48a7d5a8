/// One key of a configuration group: its name, type, range, meaning and storage.
public struct Field<Root: Sendable>: Sendable {
    /// The key.
    public let name: String
    /// The allowed values, in words: `whole number, 0...8`.
    public let type: String
    /// One or two sentences for the operator.
    public let help: String
    /// Reads the value at the path into the group, or reports the reason why it cannot.
    let read: @Sendable (JSONValue, ConfigurationPath, inout Root, inout [ConfigurationProblem]) -> Void
    /// Returns the group's current value.
    let write: @Sendable (Root) -> JSONValue
    /// The allowed values as JSON Schema (draft 2020-12), without help and default.
    public let schema: [String: JSONValue]
    /// The value is a secret, and must never be shown.
    var isSecret = false
    /// The key must be given. Its value in the group's `init()` is then an example, and no default.
    public private(set) var isRequired = false

    /// Makes a field of any type from its read and write functions.
    public init(
        _ name: String, type: String, schema: [String: JSONValue], help: String,
        read: @escaping @Sendable (JSONValue, ConfigurationPath, inout Root, inout [ConfigurationProblem]) -> Void,
        write: @escaping @Sendable (Root) -> JSONValue
    ) {
        self.name = name
        self.type = type
        self.schema = schema
        self.help = help
        self.read = read
        self.write = write
    }

    /// Returns a required version of this field: a group without the key is refused.
    public func required() -> Self {
        var field = self
        field.isRequired = true
        return field
    }

    /// Makes a field for one Swift value.
    private init<Value>(
        _ name: String, _ path: any WritableKeyPath<Root, Value> & Sendable, type: String, schema: [String: JSONValue],
        help: String, _ conversion: Conversion<Value>
    ) {
        self.init(name, type: type, schema: schema, help: help) { value, place, root, problems in
            switch conversion.parse(value) {
            case .value(let parsed): root[keyPath: path] = parsed
            case .refused(let reason): problems.append(.init(at: place, reason))
            }
        } write: {
            conversion.write($0[keyPath: path])
        }
    }
}

/// Converts between a JSON value and a Swift value.
private struct Conversion<Value>: Sendable {
    /// Converts the JSON value, or returns the reason for its refusal.
    let parse: @Sendable (JSONValue) -> Parsed<Value>
    let write: @Sendable (Value) -> JSONValue
}

/// The outcome of converting a configuration value.
private enum Parsed<Value> {
    case value(Value)
    case refused(String)

    func map<Other>(_ transform: (Value) -> Other) -> Parsed<Other> {
        switch self {
        case .value(let value): .value(transform(value))
        case .refused(let reason): .refused(reason)
        }
    }
}

extension Field {
    /// A whole number in a range.
    public static func integer(
        _ name: String, _ path: any WritableKeyPath<Root, Int> & Sendable, in range: ClosedRange<Int>, _ help: String
    ) -> Self {
        Self(
            name, path, type: "whole number, \(range)", schema: schema("integer", range), help: help,
            Conversion(
                parse: { wholeNumber($0, range) },
                write: JSONValue.integer))
    }

    /// A whole number in a range, or `null` to let the program choose; `help` says how it chooses.
    public static func integer(
        _ name: String, _ path: any WritableKeyPath<Root, Int?> & Sendable, in range: ClosedRange<Int>, _ help: String
    ) -> Self {
        Self(
            name, path, type: "whole number, \(range), or null", schema: orNull(schema("integer", range)), help: help,
            Conversion(
                parse: { $0 == .null ? .value(nil) : wholeNumber($0, range).map(Optional.some) },
                write: { $0.map(JSONValue.integer) ?? .null }))
    }

    /// A number, whole or not, in a range.
    public static func number(
        _ name: String, _ path: any WritableKeyPath<Root, Double> & Sendable, in range: ClosedRange<Double>,
        _ help: String
    ) -> Self {
        Self(
            name, path, type: "number, \(range)",
            schema: ["type": "number", "minimum": .number(range.lowerBound), "maximum": .number(range.upperBound)],
            help: help,
            Conversion(
                parse: { value in
                    guard let number = value.double else {
                        return .refused("\(value.found) is not a number in \(range)")
                    }
                    return range.contains(number) ? .value(number) : .refused("\(value.found) is outside \(range)")
                },
                write: { $0 == $0.rounded() && abs($0) < 1e15 ? .integer(Int($0)) : .number($0) }))
    }

    /// `true` or `false`.
    public static func boolean(
        _ name: String, _ path: any WritableKeyPath<Root, Bool> & Sendable, _ help: String
    ) -> Self {
        Self(
            name, path, type: "true or false", schema: ["type": "boolean"], help: help,
            Conversion(
                parse: { value in
                    if case .boolean(let flag) = value {
                        .value(flag)
                    } else {
                        .refused("\(value.found) is not true or false")
                    }
                },
                write: JSONValue.boolean))
    }

    /// A text. `check` returns the mistake in it, or nil.
    public static func string(
        _ name: String, _ path: any WritableKeyPath<Root, String> & Sendable, type: String = "text", _ help: String,
        check: @escaping @Sendable (String) -> String? = { _ in nil }
    ) -> Self {
        Self(
            name, path, type: type, schema: ["type": "string"], help: help,
            Conversion(
                parse: { text($0, check) },
                write: JSONValue.string))
    }

    /// A text, or `null` to let the program choose; `help` says how it chooses.
    public static func string(
        _ name: String, _ path: any WritableKeyPath<Root, String?> & Sendable, type: String = "text", _ help: String,
        check: @escaping @Sendable (String) -> String? = { _ in nil }
    ) -> Self {
        Self(
            name, path, type: type + ", or null", schema: orNull(["type": "string"]), help: help,
            Conversion(
                parse: { $0 == .null ? .value(nil) : text($0, check).map(Optional.some) },
                write: { $0.map(JSONValue.string) ?? .null }))
    }

    /// One of a few words: the raw values of an enumeration.
    public static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ path: any WritableKeyPath<Root, Choice> & Sendable, _ help: String
    ) -> Self {
        let words = Choice.allCases.map(\.rawValue)
        let list = words.joined(separator: ", ")
        return Self(
            name, path, type: "one of \(list)", schema: ["enum": .array(words.map(JSONValue.string))], help: help,
            Conversion(
                parse: { value in
                    if let choice = value.string.flatMap(Choice.init(rawValue:)) { return .value(choice) }
                    let near = value.string?.nearest(in: words).map { "; did you mean \"\($0)\"?" } ?? ""
                    return .refused("\(value.found) is not one of \(list)\(near)")
                },
                write: { .string($0.rawValue) }))
    }

    /// A group of its own under this key.
    public static func section<Section: Configurable>(
        _ name: String, _ path: any WritableKeyPath<Root, Section> & Sendable, _ help: String
    ) -> Self {
        Self(name, type: "object", schema: Section.schema(), help: help) { value, place, root, problems in
            root[keyPath: path] = Section.read(value, at: place, problems: &problems)
        } write: {
            .object($0[keyPath: path].json)
        }
    }

    private static func schema(_ type: String, _ range: ClosedRange<Int>) -> [String: JSONValue] {
        ["type": .string(type), "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound)]
    }

    private static func orNull(_ schema: [String: JSONValue]) -> [String: JSONValue] {
        schema.merging(["type": .array([schema["type"] ?? .null, "null"])]) { _, both in both }
    }

    private static func wholeNumber(_ value: JSONValue, _ range: ClosedRange<Int>) -> Parsed<Int> {
        guard case .integer(let number) = value else {
            return .refused("\(value.found) is not a whole number in \(range)")
        }
        return range.contains(number) ? .value(number) : .refused("\(number) is outside \(range)")
    }

    private static func text(_ value: JSONValue, _ check: (String) -> String?) -> Parsed<String> {
        guard let text = value.string else { return .refused("\(value.found) is not text in double quotes") }
        if let reason = check(text) { return .refused("\(value.found) \(reason)") }
        return .value(text)
    }
}
