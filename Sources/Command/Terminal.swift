import CallreelCore
import Foundation
import Logging
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// What the command says to the person who typed it.
enum Terminal {
    /// Why standard output could not be written, if it could not.
    private static let outputFailure = Mutex<Int32?>(nil)
    /// The writer of the running command's log.
    private static let log = Mutex<LogWriter?>(nil)
    /// Seconds that the log gets at the program's end.
    private static let lastSeconds = 1.0

    /// Prints a line of results on standard output, at once also when that is a pipe. What cannot be written ends the command with an error
    /// when it is done: see ``outputMistake``.
    static func say(_ line: String) {
        if let number = write(line + "\n", to: STDOUT_FILENO) { outputFailure.withLock { $0 = $0 ?? number } }
    }

    /// Prints lines on standard output, on a thread of their own: whoever reads them late, or not at all, holds nothing up.
    static func announce(_ lines: [String]) {
        Thread.detachNewThread { _ = write(lines.map { $0 + "\n" }.joined(), to: STDOUT_FILENO) }
    }

    /// Prints a line about what goes wrong or on, on standard error. Where nobody reads it any more, it is lost.
    static func note(_ line: String) { _ = write(line + "\n", to: STDERR_FILENO) }

    /// Replaces the current line of the terminal; nothing where there is no terminal.
    static func progress(_ line: String) {
        guard isInteractive else { return }
        _ = write("\r\u{1B}[K\(line)", to: STDERR_FILENO)
    }

    /// Why not everything that was said stands on standard output, if it does not.
    static var outputMistake: String? {
        outputFailure.withLock { $0 }.map { "standard output cannot be written: \(systemMessage($0))" }
    }

    /// Whether a person watches standard error.
    static let isInteractive = isatty(STDERR_FILENO) == 1

    /// Writes a text, and returns the system's error number where that fails.
    private static func write(_ text: String, to descriptor: Int32) -> Int32? {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { unsafe systemWrite(descriptor, $0.baseAddress! + done, $0.count - done) }
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

    /// Makes the command's logger, on standard error: one line for each event, whatever a caller puts into a name.
    ///
    /// Logging never waits for whoever reads the log. In JSON, whatever else is printed on standard error becomes a line of the log as well.
    /// - Parameter buffer: bytes of lines that may wait; nil is the default.
    static func logger(level: Logger.Level, format: LogFormat = .text, buffer: Int? = nil) -> Logger {
        let taken = format == .json ? StandardError() : nil
        let writer = LogWriter(descriptor: taken?.descriptor ?? STDERR_FILENO, capacity: buffer ?? LogWriter.standardCapacity) { count in
            let line = Mutex("")
            var logger = Logger(label: "callreel") { handler(label: $0, format) { text in line.withLock { $0 = text } } }
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

    /// Lines of the log that were dropped so far.
    static var lostLogLines: Int { log.withLock { $0 }?.lostLines ?? 0 }

    /// Lets the log be written before the program ends, for a moment.
    static func finishLog() {
        StandardError.restore()
        log.withLock { $0 }?.flush(seconds: lastSeconds)
    }

    private static func handler(label: String, _ format: LogFormat, write: @escaping @Sendable (String) -> Void) -> any LogHandler {
        switch format {
        case .text: TextLogHandler(label: label, write: write)
        case .json: JSONLogHandler(write: write)
        }
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

/// `write(2)`, under a name that a method called `write` does not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    unsafe write(descriptor, bytes, count)
}
