/// Whether new calls can be recorded as they must be.
package struct Readiness: Sendable {
    /// Why no new call is taken.
    package struct Obstacle: Hashable, Sendable {
        /// What kind of thing stands in the way.
        package enum Kind: String, CaseIterable, Sendable {
            /// The program is about to end.
            case draining
            /// A disk is full.
            case disk
            /// A required sink cannot be opened.
            case sink
            /// As many calls run as may.
            case calls
        }

        package let kind: Kind
        /// In words, with the value or the path that it is about.
        package let reason: String

        /// Names an obstacle.
        package init(_ kind: Kind, _ reason: String) {
            self.kind = kind
            self.reason = reason
        }
    }

    /// What keeps new calls out; empty when they are welcome.
    package var obstacles: [Obstacle] = []
    /// What an operator should know, though calls are taken.
    package var warnings: [String] = []

    /// Whether new calls are taken.
    package var isReady: Bool { obstacles.isEmpty }
}

extension Recorder {
    /// Whether new calls can be taken, as far as is known now. Asks nobody: what it needs is looked at in the background.
    package var readiness: Readiness {
        var result = Readiness()
        if isDraining { result.obstacles.append(.init(.draining, "the server is shutting down")) }
        for sight in disks.current {
            switch sight.level {
            case .fine: break
            case .critical where sight.place.isVital: result.obstacles.append(.init(.disk, sight.description))
            case .low, .critical: result.warnings.append(sight.description)
            }
        }
        for plan in plans where plan.health.callsBehind > 0 {
            let calls = plan.health.callsBehind
            result.warnings.append("the sink \(plan.name) does not keep up with \(calls) call\(calls == 1 ? "" : "s")")
        }
        for plan in plans {
            guard let problem = plan.health.problem else { continue }
            if plan.envelope.required {
                result.obstacles.append(.init(.sink, "the required sink \(plan.name) cannot be opened: \(problem)"))
            } else {
                result.warnings.append("the sink \(plan.name) cannot be opened: \(problem)")
            }
        }
        let waiting = archive.waitingCalls
        if waiting > 0 {
            result.warnings.append("\(waiting) interrupted call\(waiting == 1 ? "" : "s") could not be finished: see the log, and callreel repair")
        }
        return result
    }
}
