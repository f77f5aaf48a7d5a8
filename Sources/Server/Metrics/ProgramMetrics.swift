/// Metrics of the program itself, beside those of calls and connections.
enum ProgramMetrics {
    /// What each says.
    static let descriptions = [
        "callreel_build_info": "The running program, by its labels; always 1.",
        "callreel_log_lines_dropped_total": "Lines of the log that were dropped because nobody took them in time.",
    ]
}

/// A count that somebody else keeps, asked for when the metrics are read.
final class PrometheusObservedCounter: PrometheusMetrics.Family {
    static let type = "counter"
    private let read: @Sendable () -> Int

    init(_ read: @escaping @Sendable () -> Int) { self.read = read }

    func lines(name: String, labels: PrometheusLabels) -> [String] { ["\(name)\(labels.text) \(read())"] }
}

extension PrometheusMetrics {
    /// Adds a count that is read when the metrics are.
    func observe(_ name: String, _ read: @escaping @Sendable () -> Int) { _ = family(name, []) { PrometheusObservedCounter(read) } }

    /// Adds a fact: a gauge that is always 1 and says everything in its labels.
    func state(_ name: String, _ labels: [String: String]) {
        family(name, labels.sorted { $0.key < $1.key }) { PrometheusGauge() }.set(Int64(1))
    }
}
