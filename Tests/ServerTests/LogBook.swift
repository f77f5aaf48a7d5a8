import Logging
import Synchronization

/// Keeps every line of a server's log, at every level.
final class LogBook: Sendable {
    private let kept = Mutex<[String]>([])

    /// The log lines so far: message, then metadata.
    var lines: [String] { kept.withLock { $0 } }
    var text: String { lines.joined(separator: "\n") }

    /// A logger that writes here.
    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(book: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let book: LogBook
        var logLevel = Logger.Level.trace
        var metadata = Logger.Metadata()

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
            book.kept.withLock {
                $0.append((["\(event.message)"] + all.map { "\($0.key)=\($0.value)" }).joined(separator: " "))
            }
        }
    }
}
