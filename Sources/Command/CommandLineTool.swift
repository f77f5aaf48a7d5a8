import ArgumentParser
public import CallreelCore
import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The `callreel` command, for the sinks of a registry.
///
/// A program with sinks of its own is its registry and one line:
///
/// ```swift
/// var registry = SinkRegistry.builtIn
/// registry.register(LevelMeter.self)
/// await CommandLineTool(registry: registry).run()
/// ```
public struct CommandLineTool: Sendable {
    /// The sinks that the running command knows.
    @TaskLocal static var registry = SinkRegistry()

    private let registry: SinkRegistry

    /// Makes a command that knows these sinks.
    public init(registry: SinkRegistry) { self.registry = registry }

    /// Runs what the process's arguments ask for, and ends the process: 0 when all went well, 64 when the arguments make
    /// no sense, 1 for everything else.
    public func run() async -> Never {
        // A file that grows beyond the limit of the process (RLIMIT_FSIZE), and a reader that goes away, are errors of one
        // write, for the sink that wrote to tell of. By default both would end the process with all its calls.
        signal(SIGXFSZ, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        Self.openStandardDescriptors()
        guard let arguments = ProgramArguments.all else {
            Terminal.note("Error: /proc is not mounted, and the program needs it: mount -t proc proc /proc")
            exit(EXIT_FAILURE)
        }
        let words = Array(arguments.dropFirst())
        let result: Result<Void, any Error> = await Self.$registry.withValue(registry) {
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
        // Threads that hang on a disk go on until the process is gone, and exit(3) would destroy what they use.
        fflush(nil)
        _exit(code)
    }

    /// Says what is left to say, and returns the exit code.
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
                    text = text.replacing(/^(Error: [^\n]*)/.anchorsMatchLineEndings(), maxReplacements: 1) { "\($0.output.1)\(hint)" }
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

    /// Opens what is closed of the first three descriptors: else the next file that is opened would be standard output, and get what is printed.
    private static func openStandardDescriptors() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
            // The lowest free number is this one. What is written to it fails, as it did before.
            let new = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
            if new >= 0, new != descriptor { close(new) }
        }
    }
}

/// `callreel`, or what somebody's own program with it is called.
struct Root: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: ProgramArguments.name,
        abstract: "Records phone calls that a carrier sends over a WebSocket.", version: CallreelVersion.current,
        subcommands: [
            Serve.self, Call.self, Replay.self, Sinks.self, Config.self, Repair.self, Verify.self, SelfTest.self, SelfTestServer.self,
            SelfTestHang.self,
        ])
}

/// What every subcommand that reads the configuration takes.
struct ConfigurationOption: ParsableArguments {
    /// The file that is read when none is named.
    static let standard = "Config/callreel.json"

    @Option(name: .long, help: "The configuration file; - is standard input.")
    var config = ConfigurationOption.standard
}
