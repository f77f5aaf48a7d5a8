import Foundation
import Logging

/// Writes each event as one line for people: time, level, metadata, module, message.
///
/// Text from outside, such as a caller's name, cannot begin a line of the log or control a terminal.
struct TextLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let label: String
    /// Receives a whole line, including its line end.
    private let write: @Sendable (String) -> Void

    /// Makes a handler.
    init(label: String, write: @escaping @Sendable (String) -> Void) {
        self.label = label
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = LogLine.metadata(metadata, metadataProvider, event).sorted { $0.key < $1.key }.map {
            " \($0)=\($1)"
        }.joined()
        write(
            LogLine.escaped("\(Self.now) \(event.level) \(label):\(fields) [\(event.source)] \(event.message)") + "\n")
    }

    /// The local time, such as `2026-11-22T10:15:00+0000`.
    private static var now: String {
        var seconds = time(nil)
        var parts = unsafe tm()
        guard unsafe localtime_r(&seconds, &parts) != nil else { return "\(seconds)" }
        var text = [CChar](repeating: 0, count: 64)
        let count = unsafe text.withUnsafeMutableBufferPointer {
            unsafe strftime($0.baseAddress!, $0.count, "%Y-%m-%dT%H:%M:%S%z", &parts)
        }
        return String(decoding: text[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
