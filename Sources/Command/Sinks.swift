import ArgumentParser
import CallreelCore
import CallreelServer

/// `callreel sinks`
struct Sinks: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the sink types that configuration may ask for.", subcommands: [Describe.self])

    @OptionGroup var output: OutputOption

    func run() {
        let types = CommandLineTool.plugins.sinks.types
        if output.json {
            let list = types.map { JSONValue.object(["type": .string($0.type), "summary": .string($0.summary)]) }
            Terminal.say(JSONValue.array(list).json(pretty: true))
        } else {
            Terminal.say(Terminal.table(types.map { [$0.type, $0.summary] }))
        }
    }

    /// `callreel sinks describe`
    struct Describe: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows every option of a sink type.")

        @Argument(help: "The type, such as wav.")
        var type: String

        @OptionGroup var output: OutputOption

        func run() throws {
            let registry = CommandLineTool.plugins.sinks
            guard let entry = registry[type] else {
                let known = registry.types.map(\.type)
                let near = type.nearest(in: known).map { "; did you mean \"\($0)\"?" } ?? ""
                throw ValidationError(
                    "\"\(type)\" is not a known sink type; known types are \(known.joined(separator: ", "))\(near)")
            }
            if output.json { return Terminal.say(entry.schema.json(pretty: true)) }
            Terminal.say("\(entry.type): \(entry.summary)\n")
            let own = entry.options.map { option in
                [
                    option.name, option.type,
                    (option.isRequired ? "required, such as " : "default ") + option.standard.json(), option.help,
                ]
            }
            Terminal.say(own.isEmpty ? "It has no options of its own." : Terminal.table(own))
            let standard = SinkEnvelope().json
            Terminal.say("\nAs every sink:")
            Terminal.say(
                Terminal.table(
                    SinkEnvelope.fields.map {
                        [$0.name, $0.type, "default \((standard[$0.name] ?? .null).json())", $0.help]
                    }))
            let example = entry.options.reduce(into: ["type": JSONValue.string(entry.type)]) {
                $0[$1.name] = $1.standard
            }
            Terminal.say("\nExample: \(JSONValue.object(example).json())")
        }
    }

    /// The output format, as one group for both commands.
    ///
    /// If each declared the flag, the outer command would keep it from the inner one.
    struct OutputOption: ParsableArguments {
        @Flag(help: "Print JSON: the list, or the JSON Schema of a type.")
        var json = false
    }
}
