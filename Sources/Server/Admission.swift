import CallreelCore
import CallreelEngine
import CoreMetrics
import NIOCore
import Synchronization

/// Decides on each new call: admits it, or refuses it with a reason.
struct Admission: Sendable {
    /// Seconds after which a refused client may ask again, for the `Retry-After` header.
    static let retryAfter = "10"
    /// The metric of refusals and its description.
    static let metricDescriptions = [
        "callreel_refused_total": "Calls and connections refused or ended by this side, by reason."
    ]
    /// All reasons under which refusals are counted.
    static let reasons =
        Readiness.Obstacle.Kind.allCases.map(\.rawValue) + RefusalReason.allCases.map(\.rawValue) + [Unauthorized.kind]

    /// Counts and logs refusals.
    let refusals: Refusals
    /// Calls after the answer to their webhook and before their WebSocket.
    let expected: ExpectedCalls
    /// Returns everything that prevents new calls now.
    private let findObstacles: @Sendable () -> [Readiness.Obstacle]
    private let calls: CallCensus

    /// Makes an admission.
    /// - Parameter calls: the largest number of calls at once.
    init(
        refusals: Refusals, expected: ExpectedCalls, calls: Int,
        findObstacles: @escaping @Sendable () -> [Readiness.Obstacle]
    ) {
        self.refusals = refusals
        self.expected = expected
        self.findObstacles = findObstacles
        self.calls = CallCensus(most: calls)
    }

    /// The reason to take no new call now; nil if Callreel takes calls.
    var obstacle: Readiness.Obstacle? { findObstacles().first ?? (calls.isFull ? calls.obstacle : nil) }

    /// Adds the limit on calls to the recorder's readiness. The recorder does not know that limit.
    func readiness(_ recorder: Readiness) -> Readiness {
        var readiness = recorder
        if calls.isFull { readiness.obstacles.append(calls.obstacle) }
        return readiness
    }

    /// At least one call is connected.
    var hasCalls: Bool { !calls.isEmpty }

    /// Takes a place for a call. Throws the reason if there is none.
    /// - Parameter isExpected: returns true if the call's webhook was answered before.
    ///   Such a call is admitted even while the server drains.
    func enter(isExpected: () -> Bool) throws(WebSocketUpgrade.Refusal) -> CallPlace {
        let obstacle = findObstacles().first { $0.kind != .draining || !isExpected() }
        if let obstacle { throw .init(obstacle) }
        guard calls.enter() else { throw .init(calls.obstacle) }
        return CallPlace { [calls] in calls.leave() }
    }
}

extension Readiness.Obstacle {
    /// The reason in a form for the public. It names no path and no sink: those appear only in the log and behind the
    /// password.
    var shownToStrangers: String {
        switch kind {
        case .draining, .calls: reason
        default: "no call can be recorded now (\(kind.rawValue)); see the server's log"
        }
    }
}

/// One call's place among the calls that may run at once.
final class CallPlace: Sendable {
    private let onLeave: @Sendable () -> Void
    private let isLeft = Atomic<Bool>(false)

    init(onLeave: @escaping @Sendable () -> Void) { self.onLeave = onLeave }

    /// Gives the place back. Later calls do nothing.
    func leave() {
        if isLeft.exchange(true, ordering: .relaxed) == false { onLeave() }
    }

    /// Keeps the place until a connection is closed.
    func keep(until closed: EventLoopFuture<Void>) { closed.whenComplete { [self] _ in leave() } }
}

/// Counts the places for calls. A call takes one at the upgrade and gives it back when its connection is closed.
private final class CallCensus: Sendable {
    private let most: Int
    private let count = Atomic<Int>(0)

    init(most: Int) { self.most = most }

    var isFull: Bool { count.load(ordering: .relaxed) >= most }

    var isEmpty: Bool { count.load(ordering: .relaxed) == 0 }

    var obstacle: Readiness.Obstacle { .init(.calls, "the limit of \(most) calls is reached") }

    func enter() -> Bool {
        if count.wrappingAdd(1, ordering: .relaxed).newValue <= most { return true }
        leave()
        return false
    }

    func leave() { count.wrappingSubtract(1, ordering: .relaxed) }
}
