import Logging

/// Escapes control characters before a message is written, so that nothing that comes from outside, a caller's name say,
/// can begin a line of the log or command a terminal.
struct OneLineLogHandler: LogHandler {
    private var inner: StreamLogHandler

    /// Puts itself before another handler.
    init(inner: StreamLogHandler) { self.inner = inner }

    var logLevel: Logger.Level {
        get { inner.logLevel }
        set { inner.logLevel = newValue }
    }

    var metadata: Logger.Metadata {
        get { inner.metadata }
        set { inner.metadata = newValue.mapValues(Self.escape) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { inner[metadataKey: key] }
        set { inner[metadataKey: key] = newValue.map(Self.escape) }
    }

    func log(event: LogEvent) {
        var event = event
        event.message = "\(Self.escape(event.message.description))"
        event.metadata = event.metadata?.mapValues(Self.escape)
        inner.log(event: event)
    }

    private static func escape(_ value: Logger.MetadataValue) -> Logger.MetadataValue { .string(escape(value.description)) }

    /// Writes control characters (C0, DEL, C1) and line separators as Swift would.
    private static func escape(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: result += scalar.escaped(asASCII: true)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
