import CallreelCore

/// Checks what all plug-ins have in common: their type's name and summary, and their options.
struct OptionsCheck<Options: Configurable> {
    /// The faults found, in words.
    struct Faults {
        /// Values that cannot be read back.
        var unreadable: [String] = []
        /// Values or keys that should be refused.
        var lenient: [String] = []
    }

    /// The keys that all entries have.
    let common: Set<String>

    /// Returns the faults of a set of options.
    func faults(_ options: Options) -> Faults {
        var faults = Faults()
        let names = Options.fields.map(\.name)
        for (index, name) in names.enumerated()
        where name.isEmpty || common.contains(name) || names[..<index].contains(name) {
            // Such a key cannot be registered, nor used in the group's own JSON.
            faults.lenient.append("the key \(name.debugDescription) is empty, duplicate, or common to all entries")
            return faults
        }
        for (what, values) in [("the defaults", Options()), ("the options", options)] {
            // A secret is never shown, so it cannot be read back.
            let json = Self.whole(values)
            var problems: [ConfigurationProblem] = []
            let again = Options.read(.object(json), at: .root, problems: &problems).json
            if let problem = problems.first { faults.unreadable.append("\(what) are refused: \(problem)") }
            for (key, value) in json.sorted(by: { $0.key < $1.key }) where again[key] != value && problems.isEmpty {
                faults.unreadable.append(
                    "of \(what), \(key) is \(value.found) and is read as \(again[key]?.found ?? "nothing")")
            }
        }
        let whole = Self.whole(options)
        func isTaken(_ value: JSONValue, _ name: String) -> Bool {
            problems(whole.merging([name: value]) { _, new in new }).isEmpty
        }
        let stray = names.joined() + "x"
        if !problems(whole.merging([stray: true]) { _, new in new }).contains(where: { $0.path == stray }) {
            faults.lenient.append("the unknown key \(stray.debugDescription) is accepted without a problem")
        }
        let kinds: [JSONValue] = [
            true, .number(0.5), -7_777_777, "\u{1}?", .array([.array([])]), .object(["\u{1}?": .null]),
        ]
        for name in names where kinds.allSatisfy({ isTaken($0, name) }) {
            faults.lenient.append("\(name) accepts \(kinds.map(\.found).joined(separator: " and ")) without a problem")
        }
        return faults
    }

    private func problems(_ members: [String: JSONValue]) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        _ = Options.read(.object(members), at: .root, problems: &problems)
        return problems
    }

    /// The options with a value for every key, so no required key is missing.
    /// Secrets are left out, because they are never shown.
    private static func whole(_ options: Options) -> [String: JSONValue] {
        options.json.filter { $0.value != .string(Secret.shown) && $0.value != .array([.string(Secret.shown)]) }
    }
}

extension String {
    /// True for the name of a plug-in's type: a letter, then letters and digits.
    var isTypeName: Bool {
        first?.isLetter == true && allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    }

    /// True for one line with some text.
    var isOneLine: Bool { !allSatisfy(\.isWhitespace) && !contains(where: \.isNewline) }
}
