import CallreelCore
import CoreMetrics
import NIOCore
import Synchronization

/// Decides whether a new call may come in, and counts those that may not.
struct Admission: Sendable {
    /// Seconds after which whoever was refused may ask again.
    static let retryAfter = "10"
    /// What is counted, and what it says.
    static let metricDescriptions = ["callreel_refused_total": "Calls and connections that were refused, by reason."]

    /// Why no call is taken now, if none is.
    let findObstacle: @Sendable () -> Readiness.Obstacle?
    private let calls: CallCensus
    private let metrics: any MetricsFactory

    /// Makes an admission.
    /// - Parameter calls: how many calls there may be at once.
    init(metrics: any MetricsFactory, calls: Int, findObstacle: @escaping @Sendable () -> Readiness.Obstacle?) {
        self.metrics = metrics
        self.findObstacle = findObstacle
        self.calls = CallCensus(most: calls)
        // There from the start, so that a rise can be seen.
        let reasons = Readiness.Obstacle.Kind.allCases.map(\.rawValue) + RefusalReason.allCases.map(\.rawValue) + [Unauthorized.kind]
        for reason in reasons { counter(reason).increment(by: 0) }
    }

    /// Why no call is taken now, if none is.
    var obstacle: Readiness.Obstacle? { findObstacle() ?? (calls.isFull ? calls.obstacle : nil) }

    /// Takes a call's place until its connection is closed, or says why there is none.
    func enter(until closed: EventLoopFuture<Void>) -> Readiness.Obstacle? {
        if let obstacle = findObstacle() { return obstacle }
        guard calls.enter() else { return calls.obstacle }
        closed.whenComplete { [calls] _ in calls.leave() }
        return nil
    }

    /// Counts a refusal.
    /// - Parameter reason: one of a few words, never anything that came from outside.
    func countRefusal(_ reason: String) { counter(reason).increment() }

    /// Counts a refusal.
    func countRefusal(_ reason: RefusalReason) { countRefusal(reason.rawValue) }

    private func counter(_ reason: String) -> Counter {
        Counter(label: "callreel_refused_total", dimensions: [("reason", reason)], factory: metrics)
    }
}

/// The places for calls: taken at the upgrade, left when the connection is closed.
private final class CallCensus: Sendable {
    private let most: Int
    private let count = Atomic<Int>(0)

    init(most: Int) { self.most = most }

    var isFull: Bool { count.load(ordering: .relaxed) >= most }

    var obstacle: Readiness.Obstacle { .init(.calls, "\(most) calls run, and no more may") }

    func enter() -> Bool {
        if count.wrappingAdd(1, ordering: .relaxed).newValue <= most { return true }
        leave()
        return false
    }

    func leave() { count.wrappingSubtract(1, ordering: .relaxed) }
}
