extension Field {
    /// A secret, or `null` for none: the text itself, or `file:` and the path of the file that holds it.
    ///
    /// The secret must have at least `minimum` characters. No problem and no written value ever shows it.
    public static func secret(
        _ name: String, _ path: any WritableKeyPath<Root, Secret?> & Sendable, minimum: Int = 1, _ help: String
    ) -> Self {
        var field = Self(
            name, type: "secret, \"file:\" and a path, or null", schema: ["type": .array(["string", "null"])],
            help: help
        ) { value, place, root, problems in
            guard value != .null else { return root[keyPath: path] = nil }
            guard let text = value.string else {
                return problems.append(.init(at: place, "this value is not text in double quotes"))
            }
            let secret = Secret(text, minimum: minimum)
            if let mistake = secret.mistake { return problems.append(.init(at: place, mistake)) }
            root[keyPath: path] = secret
        } write: {
            $0[keyPath: path].map { _ in .string(Secret.shown) } ?? .null
        }
        field.isSecret = true
        return field
    }

    /// One secret, a list of secrets that are all valid, or `null` for none.
    ///
    /// To change a secret, list the new one and the old one behind it for a while. No secret is ever shown.
    public static func secrets(
        _ name: String, _ path: any WritableKeyPath<Root, [Secret]> & Sendable, minimum: Int = 1, _ help: String
    ) -> Self {
        var field = Self(
            name, type: "secret, \"file:\" and a path, a list of them, or null",
            schema: [
                "type": .array(["string", "array", "null"]), "items": .object(["type": "string"]), "minItems": 1,
            ], help: help
        ) { value, place, root, problems in
            guard value != .null else { return root[keyPath: path] = [] }
            let elements: [(JSONValue, ConfigurationPath)] =
                if case .array(let list) = value { list.enumerated().map { ($1, place.index($0)) } } else {
                    [(value, place)]
                }
            if elements.isEmpty { problems.append(.init(at: place, "is an empty list; use null for none")) }
            var secrets: [Secret] = []
            for (element, place) in elements {
                guard let text = element.string else {
                    problems.append(.init(at: place, "this value is not text in double quotes"))
                    continue
                }
                let secret = Secret(text, minimum: minimum)
                if let mistake = secret.mistake {
                    problems.append(.init(at: place, mistake))
                } else {
                    secrets.append(secret)
                }
            }
            root[keyPath: path] = secrets
        } write: {
            let shown = $0[keyPath: path].map { _ in JSONValue.string(Secret.shown) }
            return shown.count > 1 ? .array(shown) : shown.first ?? .null
        }
        field.isSecret = true
        return field
    }

    /// One of a few words, or `null` to let the program choose; `help` says how it chooses.
    public static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ path: any WritableKeyPath<Root, Choice?> & Sendable, _ help: String
    ) -> Self {
        let words = Choice.allCases.map(\.rawValue)
        let list = words.joined(separator: ", ")
        return Self(
            name, type: "one of \(list), or null", schema: ["enum": .array(words.map(JSONValue.string) + [.null])],
            help: help
        ) { value, place, root, problems in
            guard value != .null else { return root[keyPath: path] = nil }
            if let choice = value.string.flatMap(Choice.init(rawValue:)) { return root[keyPath: path] = choice }
            let near = value.string?.nearest(in: words).map { "; did you mean \"\($0)\"?" } ?? ""
            problems.append(.init(at: place, "\(value.found) is not one of \(list)\(near)"))
        } write: {
            $0[keyPath: path].map { .string($0.rawValue) } ?? .null
        }
    }

    /// A number in a range, whole or not, or `null` to let the program choose; `help` says how it chooses.
    public static func number(
        _ name: String, _ path: any WritableKeyPath<Root, Double?> & Sendable, in range: ClosedRange<Double>,
        _ help: String
    ) -> Self {
        let schema: [String: JSONValue] = [
            "type": .array(["number", "null"]), "minimum": .number(range.lowerBound),
            "maximum": .number(range.upperBound),
        ]
        return Self(name, type: "number, \(range), or null", schema: schema, help: help) {
            value, place, root, problems in
            guard value != .null else { return root[keyPath: path] = nil }
            guard let number = value.double else {
                return problems.append(.init(at: place, "\(value.found) is not a number in \(range)"))
            }
            guard range.contains(number) else {
                return problems.append(.init(at: place, "\(value.found) is outside \(range)"))
            }
            root[keyPath: path] = number
        } write: {
            $0[keyPath: path].map(JSONValue.number) ?? .null
        }
    }

    /// A list of texts. `check` returns the mistake in one of them, or nil.
    public static func strings(
        _ name: String, _ path: any WritableKeyPath<Root, [String]> & Sendable, of type: String, _ help: String,
        check: @escaping @Sendable (String) -> String? = { _ in nil }
    ) -> Self {
        Self(
            name, type: "list of \(type)", schema: ["type": "array", "items": .object(["type": "string"])], help: help
        ) { value, place, root, problems in
            guard case .array(let elements) = value else {
                return problems.append(.init(at: place, "\(value.found) is not a list in square brackets"))
            }
            var texts: [String] = []
            for (index, element) in elements.enumerated() {
                if let text = element.string {
                    if let mistake = check(text) {
                        problems.append(.init(at: place.index(index), "\(element.found) \(mistake)"))
                    }
                    texts.append(text)
                } else {
                    problems.append(.init(at: place.index(index), "\(element.found) is not text in double quotes"))
                }
            }
            root[keyPath: path] = texts
        } write: {
            .array($0[keyPath: path].map(JSONValue.string))
        }
    }

    /// A group of its own under this key, or `null` for none. All of its keys must be given.
    public static func section<Section: Configurable>(
        _ name: String, _ path: any WritableKeyPath<Root, Section?> & Sendable, _ help: String
    ) -> Self {
        let names = Section.fields.map(\.name)
        let schema = Section.schema().merging([
            "type": .array(["object", "null"]), "required": .array(names.map(JSONValue.string)),
        ]) { _, new in new }
        return Self(name, type: "object, or null", schema: schema, help: help) { value, place, root, problems in
            guard value != .null else { return root[keyPath: path] = nil }
            root[keyPath: path] = Section.read(value, at: place, problems: &problems)
            guard case .object(let members) = value else { return }
            for name in names where members[name] == nil { problems.append(.init(at: place.key(name), "is missing")) }
        } write: {
            $0[keyPath: path].map { .object($0.json) } ?? .null
        }
    }
}
