import Logging
import Synchronization

/// Keeps the lines that a plug-in logs, so that the kit can look for secrets in them.
final class HeardLog: Sendable {
    private let lines = Mutex<[String]>([])

    /// Returns the lines since the last time.
    func take() -> [String] {
        lines.withLock { lines in
            defer { lines = [] }
            return lines
        }
    }

    /// A logger whose lines are kept.
    var logger: Logger {
        Logger(label: "callreel.contract") { _ in Handler(log: self) }
    }

    private struct Handler: LogHandler {
        let log: HeardLog
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let error = event.error.map { "\($0)" } ?? ""
            log.lines.withLock { $0.append("\(event.message) \(event.metadata ?? [:]) \(metadata) \(error)") }
        }
    }
}
