/// The calls for which an entry of the configuration is meant, by the carrier's facts at the call's begin.
///
/// A condition has one or more keys, each with patterns. A call meets it if, for each key, its fact matches one of the
/// patterns. A fact that the carrier does not give matches nothing.
package struct CallCondition: Hashable, Sendable {
    /// A fact about a call.
    package enum Key: Hashable, Sendable, CustomStringConvertible {
        case carrier, from, to, uuid, conversation
        /// A value that the carrier sent with the call, by its name there.
        case header(String)

        /// The keys with a fixed name.
        static let named: [Key] = [.carrier, .from, .to, .uuid, .conversation]
        private static let headerPrefix = "header."

        init?(_ name: String) {
            if name.hasPrefix(Self.headerPrefix), name.count > Self.headerPrefix.count {
                self = .header(String(name.dropFirst(Self.headerPrefix.count)))
            } else if let key = Self.named.first(where: { $0.description == name }) {
                self = key
            } else {
                return nil
            }
        }

        package var description: String {
            switch self {
            case .carrier: "carrier"
            case .from: "from"
            case .to: "to"
            case .uuid: "uuid"
            case .conversation: "conversation"
            case .header(let name): Self.headerPrefix + name
            }
        }

        /// Returns the fact of a call, as text. Empty if the carrier does not give it. Of a value that the carrier
        /// gives under names that differ only in case, all are returned.
        func values(in call: CallFacts) -> [String] {
            switch self {
            case .carrier: [call.carrier]
            case .from: call.from.map { [$0] } ?? []
            case .to: call.to.map { [$0] } ?? []
            case .uuid: call.uuid.map { [$0] } ?? []
            case .conversation: call.conversation.map { [$0] } ?? []
            case .header(let name):
                call.headers.filter { $0.key.lowercased() == name.lowercased() }.compactMap(\.value.plainText)
            }
        }

        /// The fact is a number or an address. Carriers give it with a leading `+` or without.
        var isNumber: Bool { self == .from || self == .to }
    }

    /// A key with its patterns.
    private struct Clause: Hashable, Sendable {
        let key: Key
        let patterns: [TextPattern]

        func matches(_ call: CallFacts) -> Bool {
            key.values(in: call).contains { value in
                patterns.contains { $0.matches(key.isNumber ? value.withoutPlus : value) }
            }
        }
    }

    /// In the order of the keys' names.
    private var clauses: [Clause] = []
    /// A call that meets one of these does not meet the whole.
    private var exceptions: [CallCondition] = []

    /// Returns the first key that keeps a call out, such as `to`, or `not`; nil if the call meets the condition.
    package func mismatch(_ call: CallFacts) -> String? {
        if let clause = clauses.first(where: { !$0.matches(call) }) { return clause.key.description }
        return exceptions.contains { $0.mismatch(call) == nil } ? "not" : nil
    }

    /// The patterns for the carrier that name one carrier only.
    package var carriers: Set<String> {
        let own = clauses.filter { $0.key == .carrier }.flatMap(\.patterns).compactMap(\.plain)
        return exceptions.reduce(into: Set(own)) { $0.formUnion($1.carriers) }
    }

    /// The condition as it may stand in the configuration.
    package var json: JSONValue {
        var members: [String: JSONValue] = [:]
        for clause in clauses { members[clause.key.description] = .array(clause.patterns.map { .string($0.text) }) }
        if exceptions.count == 1 { members["not"] = exceptions[0].json }
        if exceptions.count > 1 { members["not"] = .array(exceptions.map(\.json)) }
        return .object(members)
    }
}

// Reading a condition.
extension CallCondition {
    private static let keys = Key.named.map(\.description) + ["header.NAME", "not"]

    /// Reads a condition, and reports every mistake in it.
    package init(_ value: JSONValue, at place: ConfigurationPath, problems: inout [ConfigurationProblem]) {
        self.init(value, at: place, isException: false, problems: &problems)
    }

    private init(
        _ value: JSONValue, at place: ConfigurationPath, isException: Bool, problems: inout [ConfigurationProblem]
    ) {
        guard case .object(let members) = value, !members.isEmpty else {
            let reason = "\(value.found) is not an object with patterns such as {\"to\": [\"+4420*\"]}"
            problems.append(.init(at: place, reason))
            return
        }
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            if name == "not", !isException {
                exceptions = Self.exceptions(value, at: place.key(name), problems: &problems)
            } else if let key = Key(name) {
                let patterns = Self.patterns(value, for: key, at: place.key(name), problems: &problems)
                clauses.append(Clause(key: key, patterns: patterns))
            } else {
                let known = isException ? Self.keys.dropLast() : Self.keys[...]
                let near = name.nearest(in: known).map { "did you mean \"\($0)\"?" }
                problems.append(
                    .init(
                        at: place.key(name),
                        "unknown key; \(near ?? "known keys are \(known.joined(separator: ", "))")"))
            }
        }
    }

    private static func exceptions(
        _ value: JSONValue, at place: ConfigurationPath, problems: inout [ConfigurationProblem]
    ) -> [CallCondition] {
        guard case .array(let elements) = value else {
            return [CallCondition(value, at: place, isException: true, problems: &problems)]
        }
        if elements.isEmpty { problems.append(.init(at: place, "is an empty list; leave the key out")) }
        return elements.enumerated().map {
            CallCondition($1, at: place.index($0), isException: true, problems: &problems)
        }
    }

    private static func patterns(
        _ value: JSONValue, for key: Key, at place: ConfigurationPath, problems: inout [ConfigurationProblem]
    ) -> [TextPattern] {
        var elements = [(value, place)]
        if case .array(let list) = value { elements = list.enumerated().map { ($1, place.index($0)) } }
        if elements.isEmpty { problems.append(.init(at: place, "is an empty list, so no call could match")) }
        return elements.compactMap { element, place in
            guard let text = element.string, !text.isEmpty else {
                problems.append(
                    .init(at: place, "\(element.found) is not a pattern in double quotes, such as \"+4420*\""))
                return nil
            }
            guard text.utf8.count <= TextPattern.limit else {
                problems.append(.init(at: place, "\(element.found) is longer than \(TextPattern.limit) bytes"))
                return nil
            }
            return TextPattern(text, ignoresPlus: key.isNumber)
        }
    }
}

extension Field {
    /// The calls for which the entry is meant, or `null` for all.
    package static func condition(
        _ name: String, _ path: any WritableKeyPath<Root, CallCondition?> & Sendable, _ help: String
    ) -> Self {
        let text: JSONValue = .object([
            "type": "string", "minLength": 1, "maxLength": .integer(TextPattern.limit),
        ])
        let patterns: JSONValue = .object([
            "type": .array(["string", "array"]), "minLength": 1, "maxLength": .integer(TextPattern.limit),
            "minItems": 1, "items": text,
        ])
        let names = CallCondition.Key.named.map(\.description).joined(separator: "|")
        let plain: [String: JSONValue] = [
            "type": "object", "minProperties": 1, "additionalProperties": false,
            "patternProperties": .object(["^(\(names)|header\\.[\\s\\S]+)$": patterns]),
        ]
        let exceptions: JSONValue = .object([
            "anyOf": .array([
                .object(plain), .object(["type": "array", "minItems": 1, "items": .object(plain)]),
            ])
        ])
        let schema = plain.merging([
            "type": .array(["object", "null"]), "properties": .object(["not": exceptions]),
        ]) { _, new in new }
        return Self(name, type: "object of patterns, or null", schema: schema, help: help) {
            value, place, root, problems in
            root[keyPath: path] =
                value == .null ? nil : CallCondition(value, at: place, problems: &problems)
        } write: {
            $0[keyPath: path]?.json ?? .null
        }
    }
}

extension String {
    /// The text without a leading `+`.
    fileprivate var withoutPlus: String { hasPrefix("+") ? String(dropFirst()) : self }
}

extension JSONValue {
    /// The text of a string, a number or a truth value; nil for other values.
    fileprivate var plainText: String? {
        switch self {
        case .string(let text): text
        case .integer, .number, .boolean: json()
        case .null, .array, .object: nil
        }
    }
}
