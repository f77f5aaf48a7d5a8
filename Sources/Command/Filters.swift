import ArgumentParser
import CallreelCore

/// `callreel filters`
struct Filters: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the available filter types.", subcommands: [Describe.self])

    @OptionGroup var output: PluginOutput

    func run() { Self.types.list(json: output.json) }

    private static var types: PluginTypes {
        PluginTypes(
            "filter",
            CommandLineTool.plugins.filters.types.map {
                .init(type: $0.type, summary: $0.summary, options: $0.options, schema: $0.schema)
            }, envelope: NoOptions.self)
    }

    /// `callreel filters describe`
    struct Describe: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows every option of a filter type.")

        @Argument(help: "The filter type, such as gain.")
        var type: String

        @OptionGroup var output: PluginOutput

        func run() throws { try Filters.types.describe(type, json: output.json) }
    }
}
