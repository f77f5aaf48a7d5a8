import CallreelCore

extension Bench where Sink: ~Copyable {
    /// Checks the type's name and summary.
    mutating func checkDescription() {
        let type = Sink.type
        if type.first?.isLetter != true || !type.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) {
            note(.name, "\(type.debugDescription) is not")
        }
        let summary = Sink.summary
        if summary.allSatisfy(\.isWhitespace) || summary.contains(where: \.isNewline) {
            note(.summary, "\(summary.debugDescription) is not")
        }
    }

    /// Checks the options as read from a configuration.
    mutating func checkOptions() {
        let fields = Sink.Options.fields
        let names = fields.map(\.name)
        let taken = Set(["type"] + SinkEnvelope.fields.map(\.name))
        for (index, name) in names.enumerated()
        where name.isEmpty || taken.contains(name) || names[..<index].contains(name) {
            // Such a key cannot be registered, nor used in the group's own JSON.
            return note(
                .strictOptions, "the key \(name.debugDescription) is empty, duplicate, or common to all sinks"
            )
        }
        for (what, values) in [("the defaults", Sink.Options()), ("the options", options)] {
            // A secret is never shown, so it cannot be read back.
            let json = values.json.filter { $0.value != .string(Secret.shown) }
            var problems: [ConfigurationProblem] = []
            let again = Sink.Options.read(.object(json), at: .root, problems: &problems).json
            if let problem = problems.first { note(.optionsAsJSON, "\(what) are refused: \(problem)") }
            for (key, value) in json.sorted(by: { $0.key < $1.key }) where again[key] != value && problems.isEmpty {
                note(
                    .optionsAsJSON,
                    "of \(what), \(key) is \(value.found) and is read as \(again[key]?.found ?? "nothing")")
            }
        }
        var problems: [ConfigurationProblem] = []
        let stray = names.joined() + "x"
        _ = Sink.Options.read(.object(whole.merging([stray: true]) { _, new in new }), at: .root, problems: &problems)
        if !problems.contains(where: { $0.path == stray }) {
            note(.strictOptions, "the unknown key \(stray.debugDescription) is accepted without a problem")
        }
        let kinds: [JSONValue] = [
            true, .number(0.5), -7_777_777, "\u{1}?", .array([.array([])]), .object(["\u{1}?": .null]),
        ]
        for name in names where kinds.allSatisfy({ isTaken($0, name) }) {
            note(.strictOptions, "\(name) accepts \(kinds.map(\.found).joined(separator: " and ")) without a problem")
        }
    }

    private func isTaken(_ value: JSONValue, _ name: String) -> Bool {
        var problems: [ConfigurationProblem] = []
        _ = Sink.Options.read(.object(whole.merging([name: value]) { _, new in new }), at: .root, problems: &problems)
        return problems.isEmpty
    }

    /// The options with a value for every key, so no required key is missing.
    /// Secrets are left out, because they are never shown.
    private var whole: [String: JSONValue] { options.json.filter { $0.value != .string(Secret.shown) } }

    /// Checks the type's answers about each format before anything is opened.
    /// Returns the formats that it does not refuse.
    mutating func checkAnswers() -> [AudioFormat] {
        let formats = AudioFormat.supportedSampleRates.flatMap { rate in
            [1, 2].map { AudioFormat(sampleRate: rate, channels: $0) }
        }
        var open: [AudioFormat] = []
        let run = Watch.begin(.answers)
        defer { run.end() }
        for format in formats {
            let refusal = Sink.refusal(of: format, options: options),
                limit = Sink.frameLimit(options: options, format: format)
            if Sink.refusal(of: format, options: options) != refusal {
                note(.answers, "refusal changes from one call to the next", format)
            }
            if Sink.fileSuffixes(options: options) != Sink.fileSuffixes(options: options) {
                note(.answers, "fileSuffixes changes from one call to the next")
            }
            if Sink.frameLimit(options: options, format: format) != limit {
                note(.answers, "frameLimit changes from one call to the next", format)
            }
            if let refusal, refusal.allSatisfy(\.isWhitespace) || refusal.contains(where: \.isNewline) {
                note(.answers, "the refusal \(refusal.debugDescription) is empty or not one line", format)
            }
            if let limit, limit < 1 {
                note(.answers, "a frameLimit of \(limit) leaves no room for a frame", format)
            } else if refusal == nil {
                open.append(format)
            }
        }
        return open
    }
}
