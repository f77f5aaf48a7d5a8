import CallreelCore
import CoreMetrics

/// Decides whether a new call may come in, and counts those that may not.
struct Admission: Sendable {
    /// Seconds after which whoever was refused may ask again.
    static let retryAfter = "10"
    /// What is counted, and what it says.
    static let metricDescriptions = ["callreel_refused_total": "Calls and connections that were refused, by reason."]

    /// Why no call is taken now, if none is.
    let findObstacle: @Sendable () -> Readiness.Obstacle?
    private let metrics: any MetricsFactory

    /// Makes an admission.
    init(metrics: any MetricsFactory, findObstacle: @escaping @Sendable () -> Readiness.Obstacle?) {
        self.metrics = metrics
        self.findObstacle = findObstacle
        // There from the start, so that a rise can be seen.
        for kind in Readiness.Obstacle.Kind.allCases { counter(kind.rawValue).increment(by: 0) }
        counter(Unauthorized.kind).increment(by: 0)
    }

    /// Why no call is taken now, if none is.
    var obstacle: Readiness.Obstacle? { findObstacle() }

    /// Counts a refusal.
    /// - Parameter reason: one of a few words, never anything that came from outside.
    func countRefusal(_ reason: String) { counter(reason).increment() }

    private func counter(_ reason: String) -> Counter {
        Counter(label: "callreel_refused_total", dimensions: [("reason", reason)], factory: metrics)
    }
}
