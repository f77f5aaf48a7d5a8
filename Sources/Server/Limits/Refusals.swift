import CoreMetrics
import Logging
import Synchronization

/// Counts each refusal by its reason, and logs refusals at a bounded rate.
///
/// A client that is refused again and again must not fill the disk with log lines.
/// Each reason has its own budget of lines, so that a flood of one kind does not hide another.
/// The next line reports the number of lines left out.
final class Refusals: Sendable {
    /// Log lines of one reason that may come at once.
    static let burst = 10.0
    /// Log lines of one reason per second, on average.
    static let perSecond = 1.0
    /// Characters of one value in a log line.
    static let valueLimit = 200

    /// The budget of log lines for one reason.
    private struct Budget {
        var lines = Refusals.burst
        var refilled: ContinuousClock.Instant
        var left = 0
    }

    private let metrics: any MetricsFactory
    private let logger: Logger
    private let budgets = Mutex<[String: Budget]>([:])

    /// Makes the counters. Each reason starts at zero, so that a monitor sees the first rise.
    init(reasons: [String], metrics: any MetricsFactory, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
        for reason in reasons { counter(reason).increment(by: 0) }
    }

    /// Counts a refusal without a log line. Used if the line is written elsewhere.
    /// - Parameter kind: a word from a closed list, never text from a client.
    func count(_ kind: String) { counter(kind).increment() }

    /// Counts a refusal and logs it, unless its kind has used up its budget.
    func record(
        _ kind: String, as message: Logger.Message = "connection refused", level: Logger.Level = .warning,
        _ metadata: @autoclosure () -> Logger.Metadata
    ) {
        count(kind)
        log(kind, message, level: level, metadata())
    }

    /// Counts the refusal of a connection and logs it, unless its kind has used up its budget.
    func record(_ reason: RefusalReason, client: String?) {
        record(reason.rawValue, ["reason": "\(reason.description)", "client.address": "\(client ?? "unknown")"])
    }

    /// Logs a line that a client can cause as often as it likes, unless its kind has used up its budget.
    func log(
        _ kind: String, _ message: Logger.Message, level: Logger.Level, _ metadata: @autoclosure () -> Logger.Metadata
    ) {
        guard logger.logLevel <= level, let left = take(kind) else { return }
        var metadata = metadata().mapValues { value -> Logger.MetadataValue in
            let text = "\(value)"
            return text.utf8.count > Self.valueLimit ? "\(text.prefix(Self.valueLimit))…" : value
        }
        if left > 0 { metadata["unsaid"] = "\(left)" }
        logger.log(level: level, message, metadata: metadata)
    }

    /// Takes one line from a kind's budget. Returns the number of lines left out since the last one;
    /// nil if this line must be left out.
    private func take(_ kind: String) -> Int? {
        let now = ContinuousClock.now
        return budgets.withLock { budgets in
            var budget = budgets[kind] ?? Budget(refilled: now)
            let seconds = (now - budget.refilled) / .seconds(1)
            budget.lines = min(Self.burst, budget.lines + seconds * Self.perSecond)
            budget.refilled = now
            defer { budgets[kind] = budget }
            guard budget.lines >= 1 else {
                budget.left += 1
                return nil
            }
            budget.lines -= 1
            defer { budget.left = 0 }
            return budget.left
        }
    }

    private func counter(_ reason: String) -> Counter {
        Counter(label: "callreel_refused_total", dimensions: [("reason", reason)], factory: metrics)
    }
}
