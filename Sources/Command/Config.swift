import ArgumentParser
import CallreelCore
import CallreelServer
import Foundation

/// `callreel config`
struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks a configuration, or shows what one may say.", subcommands: [Check.self, Example.self, Schema.self])

    /// `callreel config check`
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Finds every mistake in a configuration, and looks whether its directories can be used. Makes nothing.")

        @OptionGroup var file: ConfigurationOption

        func run() throws {
            do throws(ConfigurationError) {
                let configuration = try Configuration(
                    file: file.config, registry: CommandLineTool.registry, environment: ProcessInfo.processInfo.environment)
                let problems = configuration.directoryProblems + (configuration.exposure.map { [$0] } ?? [])
                if !problems.isEmpty { throw ConfigurationError(file: file.config, problems: problems) }
                Terminal.say("\(file.config) is right: \(configuration.sinks.map { "\($0.name) (\($0.type))" }.joined(separator: ", "))")
            } catch {
                Terminal.note(error.description)
                Terminal.note("\(error.problems.count) mistake\(error.problems.count == 1 ? "" : "s")")
                throw ExitCode.failure
            }
        }
    }

    /// `callreel config example`
    struct Example: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints a configuration with every key at its default.")

        func run() { Terminal.say(Configuration.example(registry: CommandLineTool.registry).json(pretty: true)) }
    }

    /// `callreel config schema`
    struct Schema: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints the JSON Schema of the configuration, for editors and other tools.")

        func run() { Terminal.say(Configuration.schema(registry: CommandLineTool.registry).json(pretty: true)) }
    }
}
