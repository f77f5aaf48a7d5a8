import CallreelCore
import Foundation
import Logging

/// Writes each event as one JSON object on a line of its own, for programs that gather logs.
///
/// `time` (ISO 8601, UTC), `level`, `message`, and every key of the metadata beside them: `call.id`, `sink.name` and so on.
struct JSONLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    /// Takes a whole line, with its end.
    private let write: @Sendable (String) -> Void

    /// Makes a handler.
    init(write: @escaping @Sendable (String) -> Void) { self.write = write }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        write(Self.line(event.level, event.message.description, LogLine.metadata(metadata, metadataProvider, event)))
    }

    /// One line of the log, with its end.
    static func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) -> String {
        var members = metadata.mapValues(json)
        // Ours come last: no metadata passes for the message or its level.
        members["time"] = .string(Date().manifestText)
        members["level"] = .string(level.rawValue)
        members["message"] = .string(message)
        return LogLine.escaped(json: JSONValue.object(members).json()) + "\n"
    }

    private static func json(_ value: Logger.MetadataValue) -> JSONValue {
        switch value {
        case .string(let text): .string(text)
        case .stringConvertible(let value): .string(value.description)
        case .array(let values): .array(values.map(json))
        case .dictionary(let values): .object(values.mapValues(json))
        }
    }
}
