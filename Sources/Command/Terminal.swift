import CallreelCore
import Foundation
import Logging
import Synchronization

/// Output of the command for its user, on the standard streams.
enum Terminal {
    /// The system's error number of the first failed write to standard output.
    private static let outputFailure = Mutex<Int32?>(nil)
    /// The writer of the running command's log.
    private static let log = Mutex<LogWriter?>(nil)
    /// Seconds for writing the log at the program's end.
    private static let lastSeconds = 1.0

    /// Prints a line of results on standard output, at once even to a pipe.
    ///
    /// If the write fails, the command ends with an error when it is done; see ``outputMistake``.
    static func say(_ line: String) {
        if let number = write(line + "\n", to: STDOUT_FILENO) { outputFailure.withLock { $0 = $0 ?? number } }
    }

    /// Prints lines on standard output, on their own thread, so that a slow reader, or none, delays nothing else.
    static func announce(_ lines: [String]) {
        Thread.detachNewThread { _ = write(lines.map { $0 + "\n" }.joined(), to: STDOUT_FILENO) }
    }

    /// Prints a line about a problem or progress on standard error. Without a reader, the line is lost.
    static func note(_ line: String) { _ = write(line + "\n", to: STDERR_FILENO) }

    /// Replaces the current line of the terminal. Does nothing without a terminal.
    static func progress(_ line: String) {
        guard isInteractive else { return }
        _ = write("\r\u{1B}[K\(line)", to: STDERR_FILENO)
    }

    /// The reason for incomplete standard output, or nil if all of it was written.
    static var outputMistake: String? {
        outputFailure.withLock { $0 }.map { "cannot write to standard output: \(systemMessage($0))" }
    }

    /// Standard error is a terminal.
    static let isInteractive = isatty(STDERR_FILENO) == 1

    /// Writes a text. Returns the system's error number if a write fails.
    private static func write(_ text: String, to descriptor: Int32) -> Int32? {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe systemWrite(descriptor, $0.baseAddress! + done, $0.count - done)
            }
            if count >= 0 {
                done += count
            } else if errno == EAGAIN {
                var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                unsafe poll(&room, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return nil
    }

    /// Makes the command's logger, on standard error. Each event is one line, even if a caller's name has line ends.
    ///
    /// Logging never waits for the log's reader. In JSON, other text on standard error becomes log lines as well.
    /// - Parameter buffer: the most bytes of waiting lines; nil is the default.
    static func logger(level: Logger.Level, format: LogFormat = .text, buffer: Int? = nil) -> Logger {
        let taken = format == .json ? StandardError() : nil
        let writer = LogWriter(
            descriptor: taken?.descriptor ?? STDERR_FILENO, capacity: buffer ?? LogWriter.standardCapacity
        ) { count in
            let line = Mutex("")
            var logger = Logger(label: "callreel") {
                handler(label: $0, format) { text in line.withLock { $0 = text } }
            }
            logger.logLevel = .trace
            logger.warning("log lines dropped", metadata: ["lines": "\(count)"])
            return line.withLock { $0 }
        }
        log.withLock { $0 = writer }
        taken?.start(writer) { writer.add(JSONLogHandler.line(.warning, $0, ["source": "stderr"])) }
        var logger = Logger(label: "callreel") { handler(label: $0, format) { writer.add($0) } }
        logger.logLevel = level
        return logger
    }

    /// Number of log lines dropped so far.
    static var lostLogLines: Int { log.withLock { $0 }?.lostLines ?? 0 }

    /// Gives the log up to a second to be written, before the program ends.
    static func finishLog() {
        StandardError.restore()
        log.withLock { $0 }?.flush(seconds: lastSeconds)
    }

    private static func handler(label: String, _ format: LogFormat, write: @escaping @Sendable (String) -> Void)
        -> any LogHandler
    {
        switch format {
        case .text: TextLogHandler(label: label, write: write)
        case .json: JSONLogHandler(write: write)
        }
    }

    /// Aligns rows in columns, each as wide as its widest cell.
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

/// Calls `write(2)`, under a name that no method called `write` hides.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    unsafe write(descriptor, bytes, count)
}
