import ArgumentParser
import CallreelCore

/// `callreel carriers`
struct Carriers: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the available carrier types.", subcommands: [Describe.self])

    @OptionGroup var output: PluginOutput

    func run() { Self.types.list(json: output.json) }

    private static var types: PluginTypes {
        PluginTypes(
            "carrier",
            CommandLineTool.plugins.carriers.types.map {
                .init(type: $0.type, summary: $0.summary, options: $0.options, schema: $0.schema)
            }, envelope: CarrierEnvelope.self)
    }

    /// `callreel carriers describe`
    struct Describe: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows every option of a carrier type.")

        @Argument(help: "The carrier type, such as pcm.")
        var type: String

        @OptionGroup var output: PluginOutput

        func run() throws { try Carriers.types.describe(type, json: output.json) }
    }
}
