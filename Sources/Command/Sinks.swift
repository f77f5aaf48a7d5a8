import ArgumentParser
import CallreelCore
import CallreelServer

/// `callreel sinks`
struct Sinks: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the available sink types, or the entries of a configuration that want a call.",
        subcommands: [Describe.self])

    @OptionGroup var output: PluginOutput

    @Option(
        name: .customLong("for"),
        help: "A JSON file with a call's facts, or a recording's manifest: shows the entries that want the call.")
    var call: String?

    @Option(help: "The configuration whose entries --for shows. Default: Config/callreel.json.")
    var config: String?

    func validate() throws {
        if let config, call == nil { throw ValidationError("--config \(config) has an effect only with --for") }
    }

    func run() throws {
        guard let call else { return Self.types.list(json: output.json) }
        try EntriesForCall(call, configuration: config ?? ConfigurationOption.standard).show(json: output.json)
    }

    private static var types: PluginTypes {
        PluginTypes(
            "sink",
            CommandLineTool.plugins.sinks.types.map {
                .init(type: $0.type, summary: $0.summary, options: $0.options, schema: $0.schema)
            }, envelope: SinkEnvelope.self,
            more: [["filters", "list of filters", "default []", FilterRegistry.help]])
    }

    /// `callreel sinks describe`
    struct Describe: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows every option of a sink type.")

        @Argument(help: "The sink type, such as wav.")
        var type: String

        @OptionGroup var output: PluginOutput

        func run() throws { try Sinks.types.describe(type, json: output.json) }
    }
}
