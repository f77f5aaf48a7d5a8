import CallreelCore

/// The recorder's readiness for new calls: obstacles, and warnings for the operator.
package struct Readiness: Sendable {
    /// A reason for refusing new calls.
    package struct Obstacle: Hashable, Sendable {
        /// The kind of obstacle.
        package enum Kind: String, CaseIterable, Sendable {
            /// The program is shutting down.
            case draining
            /// The recordings directory cannot be used, or a disk needed by every call is full.
            case disk
            /// A required sink cannot be opened.
            case sink
            /// The limit on running calls is reached.
            case calls
        }

        package let kind: Kind
        /// The reason as text, with the value or path concerned.
        package let reason: String

        /// Creates an obstacle.
        package init(_ kind: Kind, _ reason: String) {
            self.kind = kind
            self.reason = reason
        }
    }

    /// Obstacles to new calls. Empty if the recorder accepts calls.
    package var obstacles: [Obstacle] = []
    /// Problems the operator should know about while calls are still accepted.
    package var warnings: [String] = []

    /// True when the recorder accepts new calls.
    package var isReady: Bool { obstacles.isEmpty }
}

extension Recorder {
    /// The present readiness. Does not block: it uses the results of background checks.
    package var readiness: Readiness {
        var result = Readiness()
        if isDraining { result.obstacles.append(.init(.draining, "the server is shutting down")) }
        if let problem = storage.home.problem { result.obstacles.append(.init(.disk, problem)) }
        note(storage.home, isVital: true, in: &result)
        for directory in storage.others { note(directory, isVital: isVital(directory), in: &result) }
        for (index, plan) in plans.enumerated() {
            let places = storage.places(of: index)
            // Problems of the recordings directory are already included above.
            let problems = places.filter { $0.root != nil }.compactMap(\.directory.problem)
            let problem = problems.count == places.count ? problems.first : plan.health.problem
            if let problem {
                if plan.envelope.required {
                    result.obstacles.append(.init(.sink, "the required sink \(plan.name) cannot be opened: \(problem)"))
                } else {
                    result.warnings.append("the sink \(plan.name) cannot be opened: \(problem)")
                }
            } else if let problem = problems.first {
                result.warnings.append("the sink \(plan.name) has only one of its two directories: \(problem)")
            }
        }
        for plan in plans where plan.health.callsBehind > 0 {
            let calls = plan.health.callsBehind
            result.warnings.append("the sink \(plan.name) does not keep up with \(calls) call\(calls == 1 ? "" : "s")")
        }
        if let unpublished {
            let noun = unpublished.count == 1 ? "recording waits" : "recordings wait"
            result.warnings.append("\(unpublished.count) \(noun) to be published: \(unpublished.cause)")
        }
        let waiting = archive.waitingCalls
        if waiting > 0 {
            result.warnings.append(
                "\(waiting) interrupted call\(waiting == 1 ? "" : "s") could not be finished: see the log, and callreel repair"
            )
        }
        return result
    }

    /// Returns true if a required sink can write only to this directory.
    private func isVital(_ directory: StorageDirectory) -> Bool {
        plans.indices.contains { index in
            let places = storage.places(of: index)
            return plans[index].envelope.required && places.count == 1 && places[0].directory === directory
        }
    }

    private func note(_ directory: StorageDirectory, isVital: Bool, in result: inout Readiness) {
        if let delay = directory.delay { result.warnings.append(delay) }
        guard let shortage = directory.shortage else { return }
        if isVital, directory.level == .critical {
            result.obstacles.append(.init(.disk, shortage))
        } else {
            result.warnings.append(shortage)
        }
    }
}
