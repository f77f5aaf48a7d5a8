import CallreelCore
import CoreMetrics
import NIOCore
import Synchronization

/// Decides whether a new call may come in.
struct Admission: Sendable {
    /// Seconds after which a refused client may ask again.
    static let retryAfter = "10"
    /// The metric of refusals and its description.
    static let metricDescriptions = ["callreel_refused_total": "Calls and connections that were refused, by reason."]
    /// Every word that refusals are counted under.
    static let reasons = Readiness.Obstacle.Kind.allCases.map(\.rawValue) + RefusalReason.allCases.map(\.rawValue) + [Unauthorized.kind]

    /// Counts and logs what is refused.
    let refusals: Refusals
    /// Calls that were answered and have not come yet.
    let expected: ExpectedCalls
    /// Everything that keeps new calls out now.
    private let findObstacles: @Sendable () -> [Readiness.Obstacle]
    private let calls: CallCensus

    /// Makes an admission.
    /// - Parameter calls: how many calls there may be at once.
    init(refusals: Refusals, expected: ExpectedCalls, calls: Int, findObstacles: @escaping @Sendable () -> [Readiness.Obstacle]) {
        self.refusals = refusals
        self.expected = expected
        self.findObstacles = findObstacles
        self.calls = CallCensus(most: calls)
    }

    /// Why no call is taken now, if none is.
    var obstacle: Readiness.Obstacle? { findObstacles().first ?? (calls.isFull ? calls.obstacle : nil) }

    /// Whether calls are taken, with the limit on them, which the recorder does not know.
    func readiness(_ recorder: Readiness) -> Readiness {
        var readiness = recorder
        if calls.isFull { readiness.obstacles.append(calls.obstacle) }
        return readiness
    }

    /// Whether calls are connected.
    var hasCalls: Bool { !calls.isEmpty }

    /// Takes a call's place, or says why there is none.
    /// - Parameter isExpected: the call was answered before. It is then taken while the server only waits for running calls.
    func enter(isExpected: () -> Bool) throws(WebSocketUpgrade.Refusal) -> CallPlace {
        let obstacle = findObstacles().first { $0.kind != .draining || !isExpected() }
        if let obstacle { throw .init(obstacle) }
        guard calls.enter() else { throw .init(calls.obstacle) }
        return CallPlace { [calls] in calls.leave() }
    }
}

extension Readiness.Obstacle {
    /// The reason as anybody may know it. It names no path and no sink: those are in the log, and where a password is asked for.
    var shownToStrangers: String {
        switch kind {
        case .draining, .calls: reason
        default: "no call can be recorded now (\(kind.rawValue)); the server's log says why"
        }
    }
}

/// A call's place among those that may run at once.
final class CallPlace: Sendable {
    private let onLeave: @Sendable () -> Void
    private let isLeft = Atomic<Bool>(false)

    init(onLeave: @escaping @Sendable () -> Void) { self.onLeave = onLeave }

    /// Gives the place back, once.
    func leave() {
        if isLeft.exchange(true, ordering: .relaxed) == false { onLeave() }
    }

    /// Keeps the place until a connection is closed.
    func keep(until closed: EventLoopFuture<Void>) { closed.whenComplete { [self] _ in leave() } }
}

/// Counts the places for calls: taken at the upgrade, left when the connection is closed.
private final class CallCensus: Sendable {
    private let most: Int
    private let count = Atomic<Int>(0)

    init(most: Int) { self.most = most }

    var isFull: Bool { count.load(ordering: .relaxed) >= most }

    var isEmpty: Bool { count.load(ordering: .relaxed) == 0 }

    var obstacle: Readiness.Obstacle { .init(.calls, "\(most) calls run, and no more may") }

    func enter() -> Bool {
        if count.wrappingAdd(1, ordering: .relaxed).newValue <= most { return true }
        leave()
        return false
    }

    func leave() { count.wrappingSubtract(1, ordering: .relaxed) }
}
