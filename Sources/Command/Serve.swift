import ArgumentParser
import CallreelCore
import CallreelEngine
import CallreelServer
import CallreelSinks
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

/// `callreel serve`
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves and records calls until you stop it.")

    @OptionGroup var file: ConfigurationOption

    @Option(help: "Listen on this address instead of the configured one.")
    var host: String?

    @Option(help: "Listen on this port instead of the configured one; 0 selects a free port.")
    var port: Int?

    @Option(help: "The lowest level of log lines.")
    var logLevel = LogLevel.info

    @Option(help: "The log's format: readable text, or a JSON object on each line.")
    var logFormat = LogFormat.text

    @Option(
        help:
            "The log buffer's size in kilobytes, 16 to 1000000. Further lines are dropped and counted."
    )
    var logBuffer = LogWriter.standardCapacity / 1024

    func validate() throws {
        if !(16...1_000_000).contains(logBuffer) {
            throw ValidationError("--log-buffer \(logBuffer) is not in 16...1000000")
        }
        if let port, !(0...65535).contains(port) { throw ValidationError("--port \(port) is not in 0...65535") }
    }

    func run() async throws {
        let logger = Terminal.logger(level: logLevel.level, format: logFormat, buffer: logBuffer * 1024)
        do {
            try await serve(logger)
        } catch  where logFormat == .json {
            // A program that gathers the log reads only JSON.
            let reasons = (error as? ConfigurationError)?.lines ?? ["\(error)"]
            for reason in reasons { logger.critical("server failed", metadata: ["reason": "\(reason)"]) }
            throw ExitCode.failure
        }
    }

    /// Returns what a started server says: its page, and how to place a test call, or why it takes none.
    private static func announcement(_ address: CallreelService.Address, _ readiness: Readiness) -> [String] {
        guard readiness.isReady else {
            return ["Callreel takes no calls yet: \(address.page)"] + readiness.obstacles.map { "Reason: \($0.reason)" }
        }
        let command = address.testCommand(ProgramArguments.path).map { ["Place a test call: \($0)"] } ?? []
        return ["Callreel is ready: \(address.page)"] + command
    }

    /// Reads the configuration and serves until a signal ends it.
    private func serve(_ logger: Logger) async throws {
        DescriptorLimit.raise()
        OrphanReaper.startIfFirst()
        var configuration = try Configuration(
            file: file.config, plugins: CommandLineTool.plugins, environment: ProcessInfo.processInfo.environment)
        if let host { configuration.listen.host = host }
        if let port { configuration.listen.port = port }
        let service = try CallreelService(
            configuration: configuration, logger: logger, lostLogLines: { Terminal.lostLogLines }
        ) { address, readiness in
            Terminal.announce(Self.announcement(address, readiness))
        }
        let drainTimeout = configuration.listen.drainTimeout
        var quiet = logger
        quiet.logLevel = max(logLevel.level, .warning)
        let group = ServiceGroup(configuration: .init(services: [service], logger: quiet))
        let forced = ForcedStop(logger)
        defer { forced.cancel() }
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
            // The program ends with the server. The other task only listens for signals.
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
    }
}

/// The format of the log.
enum LogFormat: String, ExpressibleByArgument, CaseIterable, Sendable { case text, json }

/// The least level to log: the levels of swift-log, as an argument.
enum LogLevel: String, ExpressibleByArgument, CaseIterable, Sendable {
    case trace, debug, info, notice, warning, error, critical

    var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}
