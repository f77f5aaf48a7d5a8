import CallreelCore
import Foundation
import Logging

/// Writes each event as one JSON object on its own line, for programs that gather logs.
///
/// The keys are `time` (ISO 8601, UTC), `level`, `message`, and beside them every metadata key: `call.id`, `sink.name`
/// and so on.
struct JSONLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    /// Receives a whole line, including its line end.
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

    /// Returns one line of the log, including its line end.
    static func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) -> String {
        var members = metadata.mapValues(json)
        // Set last, so that no metadata can pass for the message or its level.
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
