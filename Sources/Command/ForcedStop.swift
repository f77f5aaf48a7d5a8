import Foundation
import Logging

/// Ends the process soon after a second stop signal, and at once after a third, even while the server waits.
///
/// The second signal asks the server to finish every recording now, which takes a moment.
/// A hung program, sink or disk could make that minutes. Unfinished recordings then stay in `.partial`, and the next
/// start recovers them. A queue apart from the server's threads watches the signals, so that a blocked server thread
/// cannot keep the process alive.
// Unchecked: only the queue touches the sources and the count, except at this object's start and end.
final class ForcedStop: @unchecked Sendable {
    /// Seconds left to the server after the second signal.
    static let grace = 3.0

    private let queue = DispatchQueue(label: "stop")
    private let logger: Logger
    private var sources: [any DispatchSourceSignal] = []
    private var count = 0

    /// Begins to watch SIGTERM and SIGINT, beside any other watcher.
    init(_ logger: Logger) {
        self.logger = logger
        sources = [SIGTERM, SIGINT].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { [weak self] in self?.take(source.data) }
            source.activate()
            return source
        }
    }

    /// Stops watching, once the server has ended.
    func cancel() { for source in sources { source.cancel() } }

    private func take(_ signals: UInt) {
        let before = count
        count += max(1, Int(clamping: signals))
        if count >= 3 { stop() }
        if before < 2, count == 2 { queue.asyncAfter(deadline: .now() + Self.grace) { [weak self] in self?.stop() } }
    }

    private func stop() {
        logger.error("stopped with unfinished recordings", metadata: ["next": "the next start finishes them"])
        Terminal.finishLog()
        Self.killPrograms()
        _exit(EXIT_FAILURE)
    }

    /// Kills the programs of `exec` sinks, each with its process group. Otherwise they would outlive Callreel.
    private static func killPrograms() {
        let own = getpid()
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let identifier = Int32(name),
                let status = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
                // The name is in parentheses and may hold any character. State, parent and group follow it (proc(5)).
                let fields = status.split(separator: ")").last?.split(separator: " "), fields.count > 2,
                Int32(fields[1]) == own
            else { continue }
            if Int32(fields[2]) == identifier { kill(-identifier, SIGKILL) }
        }
    }
}
