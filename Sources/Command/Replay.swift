import ArgumentParser
import CallreelCore
import CallreelEngine
import CallreelServer
import CallreelSimulator
import CallreelSinks
import Foundation
import Logging

/// `callreel replay`
struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Records a file with the configured sinks, without a network and as fast as they take it.")

    @Argument(help: "The audio file to record, or - for standard input; its rate and channels are kept.")
    var file: String

    @OptionGroup var configuration: ConfigurationOption

    @Option(help: "The lowest level of log lines.")
    var logLevel = LogLevel.warning

    func run() async throws {
        let settings = try Configuration(
            file: configuration.config, plugins: CommandLineTool.plugins,
            environment: ProcessInfo.processInfo.environment)
        let recorder = Recorder(
            store: try settings.recordings.store(), settings: RecorderSettings(sinks: settings.sinks),
            registry: settings.registry,
            logger: Terminal.logger(level: logLevel.level)
        )
        let input = try AudioInput(file)
        var reader = try input.reader()
        if let note = reader.note { Terminal.note("\(input.name): \(note)") }
        let format = reader.format
        let piece = max(1, format.frames(seconds: 0.25))
        let first = try reader.read(maximumFrames: piece)
        if first.isEmpty { throw CallerError("\(file) holds no audio") }
        do {
            try await recorder.prepare()
        } catch {
            throw CallerError(
                "cannot record in \(settings.recordings.directory.debugDescription): \(error)")
        }
        let room = Bell()
        let facts = CallFacts(
            carrier: Configuration.replayCarrier,
            headers: ["file": .string(file == "-" ? file : file.lastPathComponent)])
        if let reason = recorder.unwanted(facts) { throw CallerError("\(file) is not recorded: \(reason)") }
        let call = recorder.begin(
            CallStart(facts, format: format, mayHold: true), source: FileSource(room: room))
        let session = call.session
        let result = await withTaskGroup(of: Void.self) { group in
            group.addTask { await recorder.keepTime() }
            do {
                var samples = first
                while !samples.isEmpty {
                    if !session.receive(samples) { await room.wait() }
                    samples = try reader.read(maximumFrames: piece)
                }
                session.end("the file ended")
            } catch {
                session.end("reading the file failed: \(error)")
            }
            let result = await call.result.value
            group.cancelAll()
            return result
        }
        await recorder.close()
        try report(try result.get(), in: settings.recordings.directory)
    }

    private func report(_ recording: Recording, in directory: String) throws {
        var rows = [["sink", "state", "frames", "file"]]
        for sink in recording.sinks {
            let frames = "\(sink.held) of \(recording.framesReceived)"
            if sink.files.isEmpty { rows.append([sink.name, sink.state.rawValue, frames, "-"]) }
            for file in sink.files {
                rows.append([sink.name, sink.state.rawValue, frames, "\(file.directory ?? directory)/\(file.name)"])
            }
        }
        Terminal.say(Terminal.table(rows))
        for sink in recording.sinks { if let error = sink.error { Terminal.note("\(sink.name): \(error)") } }
        if recording.sinks.contains(where: { $0.state != .complete }) { throw ExitCode.failure }
    }
}

/// The file that is replayed, as the source of its call.
private struct FileSource: CallSource {
    /// Rings when there is room again.
    let room: Bell

    func roomForMore() { room.ring() }
}
