import CoreMetrics
import Synchronization

/// A whole number that only grows.
final class PrometheusCounter: CounterHandler, PrometheusMetrics.Family {
    static let type = "counter"
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }
    func reset() { value.store(0, ordering: .relaxed) }
    func lines(name: String, labels: PrometheusLabels) -> [String] {
        ["\(name)\(labels.text) \(value.load(ordering: .relaxed))"]
    }
}

/// A number, whole or not, that only grows.
final class PrometheusFloatingPointCounter: FloatingPointCounterHandler, PrometheusMetrics.Family {
    static let type = "counter"
    private let value = Mutex(0.0)

    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func reset() { value.withLock { $0 = 0 } }
    func lines(name: String, labels: PrometheusLabels) -> [String] {
        ["\(name)\(labels.text) \(prometheusNumber(value.withLock { $0 }))"]
    }
}

/// A gauge: a number that goes up and down.
final class PrometheusGauge: MeterHandler, RecorderHandler, PrometheusMetrics.Family {
    static let type = "gauge"
    private let value = Mutex(0.0)

    func set(_ value: Int64) { self.value.withLock { $0 = Double(value) } }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(value) }
    func record(_ value: Double) { set(value) }
    func lines(name: String, labels: PrometheusLabels) -> [String] {
        ["\(name)\(labels.text) \(prometheusNumber(value.withLock { $0 }))"]
    }
}

/// A histogram of values by size. Times are in seconds, as Prometheus requires.
final class PrometheusHistogram: TimerHandler, RecorderHandler, PrometheusMetrics.Family {
    static let type = "histogram"
    /// Upper bounds in seconds: from a write into the page cache to a stalled disk.
    static let bounds = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    private struct State {
        var buckets = [Int](repeating: 0, count: PrometheusHistogram.bounds.count + 1)
        var sum = 0.0
    }

    private let state = Mutex(State())

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        let bucket = Self.bounds.firstIndex { value <= $0 } ?? Self.bounds.count
        state.withLock { state in
            state.buckets[bucket] += 1
            state.sum += value
        }
    }

    func lines(name: String, labels: PrometheusLabels) -> [String] {
        let state = state.withLock { $0 }
        var total = 0
        var lines: [String] = []
        for (bound, count) in zip(Self.bounds.map(prometheusNumber) + ["+Inf"], state.buckets) {
            total += count
            lines.append("\(name)_bucket\(labels.with(bound: bound)) \(total)")
        }
        return lines + [
            "\(name)_sum\(labels.text) \(prometheusNumber(state.sum))", "\(name)_count\(labels.text) \(total)",
        ]
    }
}

/// Formats a number without a needless fraction.
private func prometheusNumber(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
}
