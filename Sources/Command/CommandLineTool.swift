import ArgumentParser
public import CallreelCarriers
public import CallreelCore
public import CallreelDeliveries
public import CallreelFilters
import CallreelServer
import CallreelSinks
import Foundation

/// The `callreel` command, for the sinks, carriers, filters and deliveries of a program.
///
/// A program with its own sinks consists of their registry and one line:
///
/// ```swift
/// var sinks = SinkRegistry.builtIn
/// sinks.register(LevelMeter.self)
/// await CommandLineTool(sinks: sinks).run()
/// ```
public struct CommandLineTool: Sendable {
    /// The plug-in types known to the running command.
    @TaskLocal static var plugins = Plugins()

    private let plugins: Plugins

    /// Makes a command for these plug-in types.
    public init(
        sinks: SinkRegistry, carriers: CarrierRegistry = .builtIn, filters: FilterRegistry = .builtIn,
        deliveries: DeliveryRegistry = .builtIn
    ) {
        self.init(Plugins(sinks: sinks, carriers: carriers, filters: filters, deliveries: deliveries))
    }

    /// Makes a command for these plug-in types, and no others.
    public init(_ plugins: Plugins) { self.plugins = plugins }

    /// Runs the command in the process's arguments, and ends the process.
    ///
    /// The exit code is 0 for success, 64 for invalid arguments, and 1 for any other failure.
    public func run() async -> Never {
        // If a file outgrows the process's limit (RLIMIT_FSIZE) or a reader goes away, one write fails, and its sink
        // reports that. By default either signal would end the process with all its calls.
        signal(SIGXFSZ, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        Self.openStandardDescriptors()
        guard let arguments = ProgramArguments.all else {
            Terminal.note("Error: /proc is not mounted, but Callreel needs it. Run: mount -t proc proc /proc")
            exit(EXIT_FAILURE)
        }
        let words = Array(arguments.dropFirst())
        let result: Result<Void, any Error> = await Self.$plugins.withValue(plugins) {
            do {
                var command = try Root.parseAsRoot(words)
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        let code = Self.end(result, words)
        // A thread that hangs on a disk runs until the process is gone, and exit(3) would destroy objects it uses.
        fflush(nil)
        _exit(code)
    }

    /// Prints the remaining messages, and returns the exit code.
    private static func end(_ result: Result<Void, any Error>, _ words: [String]) -> Int32 {
        var code = EXIT_SUCCESS
        if case .failure(let error) = result {
            code = Root.exitCode(for: error).rawValue
            var text = Root.fullMessage(for: error)
            if code == EXIT_SUCCESS {
                // Help and the version are results.
                if !text.isEmpty { Terminal.say(text) }
            } else {
                if code == Int32(ExitCode.validationFailure.rawValue), let hint = Subcommands.hint(for: words) {
                    text = text.replacing(/^(Error: [^\n]*)/.anchorsMatchLineEndings(), maxReplacements: 1) {
                        "\($0.output.1)\(hint)"
                    }
                }
                if !text.isEmpty { Terminal.note(text) }
            }
        }
        Terminal.finishLog()
        if code == EXIT_SUCCESS, let mistake = Terminal.outputMistake {
            Terminal.note("Error: \(mistake)")
            code = EXIT_FAILURE
        }
        return code
    }

    /// Opens each of the first three descriptors that is closed.
    ///
    /// Otherwise the next file to be opened would become standard output and receive printed text.
    private static func openStandardDescriptors() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
        where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
            // The lowest free number is this one. Writing to it fails, as it did before.
            let new = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
            if new >= 0, new != descriptor { close(new) }
        }
    }
}

extension Plugins {
    /// All sinks, carriers, filters and deliveries of Callreel. Add your own to a copy.
    public static var builtIn: Plugins {
        Plugins(sinks: .builtIn, carriers: .builtIn, filters: .builtIn, deliveries: .builtIn)
    }
}

/// The root command: `callreel`, or the name of another program built with it.
struct Root: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: ProgramArguments.name,
        abstract: "Records phone calls that a carrier sends over a WebSocket.", version: CallreelVersion.current,
        subcommands: [
            Serve.self, Call.self, Replay.self, Sinks.self, Carriers.self, Filters.self, Deliveries.self, Config.self,
            Repair.self,
            Verify.self,
            NewPlugin.self,
            SelfTest.self,
            SelfTestServer.self,
            SelfTestHang.self,
        ])
}

/// The option of every subcommand that reads the configuration.
struct ConfigurationOption: ParsableArguments {
    /// The configuration file used when none is named.
    static let standard = "Config/callreel.json"

    @Option(name: .long, help: "The configuration file, or - for standard input.")
    var config = ConfigurationOption.standard
}
