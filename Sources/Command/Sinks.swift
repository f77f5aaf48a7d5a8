import ArgumentParser
import CallreelCore
import CallreelServer

/// `callreel sinks`
struct Sinks: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the available sink types.", subcommands: [Describe.self])

    @OptionGroup var output: PluginOutput

    func run() { Self.types.list(json: output.json) }

    private static var types: PluginTypes {
        PluginTypes(
            "sink",
            CommandLineTool.plugins.sinks.types.map {
                .init(type: $0.type, summary: $0.summary, options: $0.options, schema: $0.schema)
            }, envelope: SinkEnvelope.self)
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
