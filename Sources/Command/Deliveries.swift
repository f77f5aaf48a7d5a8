import ArgumentParser
import CallreelCore

/// `callreel deliveries`
struct Deliveries: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the available delivery types.", subcommands: [Describe.self])

    @OptionGroup var output: PluginOutput

    func run() { Self.types.list(json: output.json) }

    private static var types: PluginTypes {
        PluginTypes(
            "delivery",
            CommandLineTool.plugins.deliveries.types.map {
                .init(type: $0.type, summary: $0.summary, options: $0.options, schema: $0.schema)
            }, envelope: DeliveryEnvelope.self)
    }

    /// `callreel deliveries describe`
    struct Describe: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows every option of a delivery type.")

        @Argument(help: "The delivery type, such as exec.")
        var type: String

        @OptionGroup var output: PluginOutput

        func run() throws { try Deliveries.types.describe(type, json: output.json) }
    }
}
