import Foundation
import Logging

/// What the command says to the person who typed it.
enum Terminal {
    /// A line of results, on standard output, at once also when that is a pipe. Where nobody reads it any more, it is lost.
    static func say(_ line: String) { try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8)) }

    /// A line about what goes wrong or on, on standard error.
    static func note(_ line: String) { try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8)) }

    /// Replaces the current line of the terminal; nothing where there is no terminal.
    static func progress(_ line: String) {
        guard isInteractive else { return }
        try? FileHandle.standardError.write(contentsOf: Data("\r\u{1B}[K\(line)".utf8))
    }

    /// Whether a person watches standard error.
    static let isInteractive = isatty(STDERR_FILENO) == 1

    /// A logger on standard error, one line for each message whatever a caller puts into a name.
    static func logger(level: Logger.Level, format: LogFormat = .text) -> Logger {
        var logger = Logger(label: "callreel") { label in
            switch format {
            case .text: OneLineLogHandler(inner: StreamLogHandler.standardError(label: label))
            case .json: JSONLogHandler { FileHandle.standardError.write(Data($0.utf8)) }
            }
        }
        logger.logLevel = level
        return logger
    }

    /// Rows under each other, as wide as their widest cell.
    static func table(_ rows: [[String]]) -> String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { index, cell in
                index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
            }
            return cells.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}
