import ArgumentParser
import CallreelCore

/// The output of the commands that list and describe plug-in types.
struct PluginTypes {
    /// A registered type.
    struct Entry {
        let type: String
        let summary: String
        let options: [OptionDescription]
        let schema: JSONValue
    }

    /// The kind of plug-in, such as `sink`.
    let family: String
    let entries: [Entry]
    /// The keys of every entry: name, type, default and help.
    let envelope: [[String]]

    /// Collects the types of a kind.
    /// - Parameter more: further rows of ``envelope``.
    init<Envelope: Configurable>(
        _ family: String, _ entries: [Entry], envelope: Envelope.Type, more: [[String]] = []
    ) {
        self.family = family
        self.entries = entries
        let standard = Envelope().json
        self.envelope =
            Envelope.fields.map {
                [$0.name, $0.type, "default \((standard[$0.name] ?? .null).json())", $0.help]
            } + more
    }

    /// Prints the list of types.
    func list(json: Bool) {
        if json {
            let list = entries.map { JSONValue.object(["type": .string($0.type), "summary": .string($0.summary)]) }
            Terminal.say(JSONValue.array(list).json(pretty: true))
        } else {
            Terminal.say(Terminal.table(entries.map { [$0.type, $0.summary] }))
        }
    }

    /// Prints every option of a type.
    func describe(_ type: String, json: Bool) throws {
        guard let entry = entries.first(where: { $0.type == type }) else {
            let known = entries.map(\.type)
            let near = type.nearest(in: known).map { "; did you mean \"\($0)\"?" } ?? ""
            throw ValidationError(
                "\"\(type)\" is not a known \(family) type; known types are \(known.joined(separator: ", "))\(near)")
        }
        if json { return Terminal.say(entry.schema.json(pretty: true)) }
        Terminal.say("\(entry.type): \(entry.summary)\n")
        let own = entry.options.map { option in
            [
                option.name, option.type,
                (option.isRequired ? "required, such as " : "default ") + option.standard.json(), option.help,
            ]
        }
        Terminal.say(own.isEmpty ? "It has no options of its own." : Terminal.table(own))
        if !envelope.isEmpty {
            Terminal.say("\nOptions of every \(family):")
            Terminal.say(Terminal.table(envelope))
        }
        let example = entry.options.reduce(into: ["type": JSONValue.string(entry.type)]) { $0[$1.name] = $1.standard }
        Terminal.say("\nExample: \(JSONValue.object(example).json())")
    }
}

/// The output format, as one group for an outer and an inner command.
///
/// If each declared the flag, the outer command would keep it from the inner one.
struct PluginOutput: ParsableArguments {
    @Flag(help: "Print JSON: the list, or the JSON Schema of a type.")
    var json = false
}
