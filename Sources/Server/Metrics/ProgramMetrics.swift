/// Metrics of the program itself, besides those of calls and connections.
enum ProgramMetrics {
    /// The description of each metric.
    static let descriptions = [
        "callreel_build_info": "Always 1. The label has the program's version.",
        "callreel_log_lines_dropped_total": "Lines dropped from the log because its reader was too slow.",
    ]
}

/// A counter whose value is kept elsewhere and read when the metrics are read.
final class PrometheusObservedCounter: PrometheusMetrics.Family {
    static let type = "counter"
    private let read: @Sendable () -> Int

    init(_ read: @escaping @Sendable () -> Int) { self.read = read }

    func lines(name: String, labels: PrometheusLabels) -> [String] { ["\(name)\(labels.text) \(read())"] }
}

extension PrometheusMetrics {
    /// Adds a counter whose value is read when the metrics are read.
    func observe(_ name: String, _ read: @escaping @Sendable () -> Int) {
        _ = family(name, []) { PrometheusObservedCounter(read) }
    }

    /// Adds a fact as a gauge. Its value is always 1, and its labels hold the content.
    func state(_ name: String, _ labels: [String: String]) {
        family(name, labels.sorted { $0.key < $1.key }) { PrometheusGauge() }.set(Int64(1))
    }
}
