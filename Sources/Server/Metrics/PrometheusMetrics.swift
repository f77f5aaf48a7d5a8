import CoreMetrics
import Synchronization

/// Collects metrics in memory and writes them in Prometheus text format 0.0.4.
///
/// Each server has its own collection and passes it to the code that measures; nothing is global.
/// Values are atomic or behind a short lock of their own. No metric is updated for each frame.
final class PrometheusMetrics: MetricsFactory {
    /// The media type of ``text()``.
    static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    /// A metric as written: the lines below one name.
    protocol Family: AnyObject, Sendable {
        static var type: String { get }
        /// Returns the lines for one set of labels, given as `{name="value"}` or nothing.
        func lines(name: String, labels: PrometheusLabels) -> [String]
    }

    private struct Key: Hashable {
        let name: String
        let labels: PrometheusLabels
    }

    private let metrics = Mutex<[Key: any Family]>([:])
    private let descriptions: [String: String]

    /// Makes an empty collection.
    /// - Parameter descriptions: the descriptions of the metrics, by name.
    init(descriptions: [String: String]) { self.descriptions = descriptions }

    /// Returns the metric of a name and labels, and makes it on first use.
    func family<F: Family>(_ name: String, _ dimensions: [(String, String)], _ make: () -> F) -> F {
        let key = Key(name: Self.legal(name), labels: PrometheusLabels(dimensions))
        return metrics.withLock { metrics in
            if let known = metrics[key] as? F { return known }
            let new = make()
            metrics[key] = new
            return new
        }
    }

    /// Replaces the characters that a metric's name may not contain (`[a-zA-Z_:][a-zA-Z0-9_:]*`).
    private static func legal(_ name: String) -> String {
        let letters = name.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") ? $0 : "_" }
        return letters.first?.isNumber == false ? String(letters) : "_" + String(letters)
    }

    /// Describes a metric that this program does not know itself: a sink's own.
    private static func pluginDescription(_ name: String) -> String { "Measured by a sink, under the name \(name)." }

    /// Returns all metrics, sorted by name and labels.
    func text() -> String {
        let all = metrics.withLock { $0 }
        var result = ""
        for (name, members) in Dictionary(grouping: all, by: \.key.name).sorted(by: { $0.key < $1.key }) {
            let help = (descriptions[name] ?? Self.pluginDescription(name)).replacing("\\", with: "\\\\").replacing(
                "\n", with: "\\n")
            result += "# HELP \(name) \(help)\n"
            if let first = members.first { result += "# TYPE \(name) \(type(of: first.value).type)\n" }
            for (key, family) in members.sorted(by: { $0.key.labels.text < $1.key.labels.text }) {
                for line in family.lines(name: name, labels: key.labels) { result += line + "\n" }
            }
        }
        return result
    }

    // MARK: - MetricsFactory

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        family(label, dimensions) { PrometheusCounter() }
    }

    func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        family(label, dimensions) { PrometheusFloatingPointCounter() }
    }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        family(label, dimensions) { PrometheusGauge() }
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate {
            family(label, dimensions) { PrometheusHistogram() }
        } else {
            family(label, dimensions) { PrometheusGauge() }
        }
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        family(label, dimensions) { PrometheusHistogram() }
    }

    // Counts stay after a handler is destroyed: a counter that disappears looks like one that was reset.
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    func destroyMeter(_ handler: any MeterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}

/// The labels of a metric, as written.
struct PrometheusLabels: Hashable, Sendable {
    /// `{name="value",…}`, or nothing.
    let text: String
    private let inner: String

    /// Writes labels. Escapes the three characters with a meaning in a value.
    init(_ dimensions: [(String, String)]) {
        inner = dimensions.map { name, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(name)=\"\(escaped)\""
        }.joined(separator: ",")
        text = inner.isEmpty ? "" : "{\(inner)}"
    }

    /// Returns the labels with a histogram's bound added.
    func with(bound: String) -> String { "{\(inner.isEmpty ? "" : inner + ",")le=\"\(bound)\"}" }
}
