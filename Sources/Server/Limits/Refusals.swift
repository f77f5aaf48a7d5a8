import CoreMetrics
import Logging
import Synchronization

/// Records everything that the server refuses: each refusal is counted by its reason, and logged at a bounded rate.
///
/// A client that is refused again and again must not fill the disk with log lines. Each reason has a budget of lines of its own, so that a
/// flood of one kind does not hide another. Lines that were left out are counted in the next one.
final class Refusals: Sendable {
    /// Log lines of one reason that may come at once.
    static let burst = 10.0
    /// Log lines of one reason per second, on average.
    static let perSecond = 1.0
    /// Characters of one value in a log line.
    static let valueLimit = 200

    /// The log lines that one reason may still have.
    private struct Budget {
        var lines = Refusals.burst
        var refilled: ContinuousClock.Instant
        var left = 0
    }

    private let metrics: any MetricsFactory
    private let logger: Logger
    private let budgets = Mutex<[String: Budget]>([:])

    /// Makes a record. All reasons are counted as zero from the start, so that a rise can be seen.
    init(reasons: [String], metrics: any MetricsFactory, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
        for reason in reasons { counter(reason).increment(by: 0) }
    }

    /// Counts a refusal without a log line, where the line is written elsewhere.
    /// - Parameter kind: one of a closed list of words, never anything that came from outside.
    func count(_ kind: String) { counter(kind).increment() }

    /// Counts a refusal and logs it, unless there were too many of its kind.
    func record(
        _ kind: String, as message: Logger.Message = "connection refused", level: Logger.Level = .warning,
        _ metadata: @autoclosure () -> Logger.Metadata
    ) {
        count(kind)
        log(kind, message, level: level, metadata())
    }

    /// Counts a refusal of a connection and logs it, unless there were too many of its kind.
    func record(_ reason: RefusalReason, client: String?) {
        record(reason.rawValue, ["reason": "\(reason.description)", "client.address": "\(client ?? "unknown")"])
    }

    /// Writes a line that a client can cause as often as it likes, unless there were too many of its kind.
    func log(_ kind: String, _ message: Logger.Message, level: Logger.Level, _ metadata: @autoclosure () -> Logger.Metadata) {
        guard logger.logLevel <= level, let left = take(kind) else { return }
        var metadata = metadata().mapValues { value -> Logger.MetadataValue in
            let text = "\(value)"
            return text.utf8.count > Self.valueLimit ? "\(text.prefix(Self.valueLimit))…" : value
        }
        if left > 0 { metadata["unsaid"] = "\(left)" }
        logger.log(level: level, message, metadata: metadata)
    }

    /// Takes one line of a kind's budget. Returns how many lines were left out since the last one, or nil where this one is.
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
