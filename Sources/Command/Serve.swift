import ArgumentParser
import CallreelCore
import CallreelServer
import CallreelSinks
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

/// `callreel serve`
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Takes calls and records them until it is told to stop.")

    @OptionGroup var file: ConfigurationOption

    @Option(help: "Listen on this address instead of the configured one.")
    var host: String?

    @Option(help: "Listen on this port instead of the configured one; 0 takes any free one.")
    var port: Int?

    @Option(help: "How much to log.")
    var logLevel = LogLevel.info

    @Option(help: "How to log: lines for people, or a JSON object on each line.")
    var logFormat = LogFormat.text

    func validate() throws {
        if let port, !(0...65535).contains(port) { throw ValidationError("--port \(port) is not in 0...65535") }
    }

    func run() async throws {
        DescriptorLimit.raise()
        OrphanReaper.startIfFirst()
        var configuration = try Configuration(
            file: file.config, registry: CommandLineTool.registry, environment: ProcessInfo.processInfo.environment)
        if let host { configuration.listen.host = host }
        if let port { configuration.listen.port = port }
        let logger = Terminal.logger(level: logLevel.level, format: logFormat)
        let service = try CallreelService(configuration: configuration, logger: logger) { address in
            Terminal.say("Callreel is ready: \(address.page)")
            Terminal.say("Place a test call: \(address.testCommand(CommandLine.arguments[0]))")
        }
        let drainTimeout = configuration.listen.drainTimeout
        var quiet = logger
        quiet.logLevel = max(logLevel.level, .warning)
        let group = ServiceGroup(configuration: .init(services: [service], logger: quiet))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                var count = 0
                for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup) {
                    if signal == .sighup {
                        service.reload()
                        continue
                    }
                    count += 1
                    if count == 1 {
                        logger.notice("stopping", metadata: ["signal": "\(signal)", "drainTimeout": "\(drainTimeout)"])
                        await group.triggerGracefulShutdown()
                    } else {
                        logger.notice("stopping at once", metadata: ["signal": "\(signal)"])
                        service.hurry()
                    }
                }
            }
            // The server's end is the program's; the other task only listens.
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
    }
}

/// How to log.
enum LogFormat: String, ExpressibleByArgument, CaseIterable, Sendable { case text, json }

/// How much to log: the levels of swift-log, as an argument.
enum LogLevel: String, ExpressibleByArgument, CaseIterable, Sendable {
    case trace, debug, info, notice, warning, error, critical

    var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}
