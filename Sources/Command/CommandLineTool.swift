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
        #if os(Linux)
            // Swift reads the command line from there, and ends the program without a word where it cannot.
            if unsafe access("/proc/self/cmdline", R_OK) != 0 {
                Terminal.note("Error: /proc cannot be read: mount it, as with `mount -t proc proc /proc`; the program needs its command line")
                exit(EX_UNAVAILABLE)
            }
        #endif
        // A file that grows beyond the limit of the process (RLIMIT_FSIZE), and a reader that goes away, are errors of one
        // write, for the sink that wrote to tell of. By default both would end the process with all its calls.
        signal(SIGXFSZ, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        let result: Result<Void, any Error> = await Self.$registry.withValue(registry) {
            do {
                var command = try Root.parseAsRoot()
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
        switch result {
        case .success: Root.exit()
        case .failure(let error): Root.exit(withError: error)
        }
    }
}

/// `callreel`, or what somebody's own program with it is called.
struct Root: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: URL(fileURLWithPath: CommandLine.arguments[0]).lastPathComponent,
        abstract: "Records phone calls that a carrier sends over a WebSocket.",
        subcommands: [Serve.self, Call.self, Replay.self, Sinks.self, Config.self, Repair.self, Verify.self, SelfTest.self, SelfTestServer.self])
}

/// What every subcommand that reads the configuration takes.
struct ConfigurationOption: ParsableArguments {
    @Option(name: .long, help: "The configuration file.")
    var config = "Config/callreel.json"
}
