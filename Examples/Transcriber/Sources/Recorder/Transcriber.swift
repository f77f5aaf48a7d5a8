import CallreelCore
import Foundation
import Logging
import Subprocess

/// Puts the text of each recording beside it, as `<name>.<delivery>.txt`. Any program may turn speech into text.
///
/// The program runs once for each file of a sink, and its standard output is the text. If it ends with another status
/// than 0, Callreel calls this again later. At the deadline and at the end of the server it gets SIGTERM, and SIGKILL
/// five seconds later.
struct Transcriber: Delivery {
    static let type = "transcriber"
    static let summary = "the text of each recording beside it, from a program for speech to text"

    /// The most bytes of a file's text, and of the program's errors. A program that prints more fails.
    private static let outputLimit = 1 << 20

    private let options: TranscriberOptions
    private let logger: Logger

    static func refusal(options: TranscriberOptions) -> String? {
        options.command.first?.isEmpty ?? true ? "\"command\" names no program" : nil
    }

    static func obstacle(options: TranscriberOptions) -> String? {
        let name = options.command[0], path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let places = name.contains("/") ? [name] : path.split(separator: ":").map { "\($0)/\(name)" }
        return places.contains(where: FileManager.default.isExecutableFile) ? nil : "there is no program \"\(name)\""
    }

    init(options: TranscriberOptions, context: DeliveryContext) {
        self.options = options
        logger = context.logger
    }

    func deliver(_ recording: PublishedRecording) async throws(DeliveryError) -> DeliveryReceipt {
        let files = recording.files.filter { $0.sink == options.sink }
        guard !files.isEmpty else {
            // The call brought no audio, or the sink failed, or none has the name. Another attempt would find no more.
            logger.warning("no file to transcribe", metadata: ["recording": "\(recording.name)"])
            return DeliveryReceipt(details: ["files": 0])
        }
        var text = ""
        for file in files {
            let part = try await transcribe(file.path).trimmingCharacters(in: .whitespacesAndNewlines)
            text += part + "\n"
        }
        let words = text.split(whereSeparator: \.isWhitespace).count
        return DeliveryReceipt(
            details: ["files": .integer(files.count), "words": .integer(words)],
            attachments: [.init("txt", Array(text.utf8))])
    }

    /// Returns what the program says about a file.
    private func transcribe(_ path: String) async throws(DeliveryError) -> String {
        let name = options.command[0]
        // A process group of its own, so that the programs which it starts are ended with it.
        var platform = PlatformOptions()
        platform.processGroupID = 0
        platform.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(5))]
        let ended: ExecutionResult<Void, StringOutput<UTF8>, StringOutput<UTF8>>
        do {
            // Asynchronous: no thread waits for the program.
            ended = try await run(
                name.contains("/") ? .path(.init(name)) : .name(name),
                arguments: Arguments(options.command.dropFirst() + [path]), platformOptions: platform,
                output: .string(limit: Self.outputLimit), error: .string(limit: Self.outputLimit))
        } catch {
            throw DeliveryError("cannot run \"\(name)\" for \(path)", cause: error)
        }
        guard ended.terminationStatus.isSuccess else {
            // An error is one line, so that a log can show it.
            let words = ended.standardError.suffix(400).split(whereSeparator: \.isNewline).joined(separator: " / ")
            throw DeliveryError("\"\(name)\" ended with \(ended.terminationStatus) for \(path): \(words)")
        }
        return ended.standardOutput
    }
}
