import ArgumentParser
import CallreelCore
import CallreelEngine
import CallreelServer
import Foundation

/// `callreel config`
struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks a configuration, or prints its example or schema.",
        subcommands: [Check.self, Example.self, Schema.self])

    /// `callreel config check`
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                """
                Finds every mistake in a configuration. Also checks its directories, programs, secrets and \
                certificates. Creates nothing.
                """
        )

        @Argument(help: "The configuration file, or - for standard input. The same as --config.")
        var file: String?

        @Option(help: "The configuration file. Default: Config/callreel.json.")
        var config: String?

        func validate() throws {
            if let file, let config { throw ValidationError("\(file) and --config \(config) are two files; name one") }
        }

        func run() throws {
            let file = file ?? config ?? ConfigurationOption.standard
            do throws(ConfigurationError) {
                let configuration = try Configuration(
                    file: file, plugins: CommandLineTool.plugins, environment: ProcessInfo.processInfo.environment)
                let found = configuration.inspect()
                for note in found.notes { Terminal.note("Not ready on this machine: \(note)") }
                if !found.mistakes.isEmpty { throw ConfigurationError(file: file, problems: found.mistakes) }
                Terminal.say(
                    "\(file) is valid: \(configuration.sinks.map { "\($0.name) (\($0.type))" }.joined(separator: ", "))"
                )
            } catch {
                Terminal.note(error.description)
                Terminal.note("\(error.problems.count) mistake\(error.problems.count == 1 ? "" : "s")")
                throw ExitCode.failure
            }
        }
    }

    /// `callreel config example`
    struct Example: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a configuration with every key at its default.")

        func run() { Terminal.say(Configuration.example(plugins: CommandLineTool.plugins).json(pretty: true)) }
    }

    /// `callreel config schema`
    struct Schema: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints the JSON Schema of the configuration, for editors and other tools.")

        func run() { Terminal.say(Configuration.schema(plugins: CommandLineTool.plugins).json(pretty: true)) }
    }
}
