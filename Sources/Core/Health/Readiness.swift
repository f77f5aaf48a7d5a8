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
        if let problem = storage.home.problem { result.obstacles.append(.init(.disk, problem)) }
        note(storage.home, isVital: true, in: &result)
        for directory in storage.others { note(directory, isVital: isVital(directory), in: &result) }
        for (index, plan) in plans.enumerated() {
            let places = storage.places(of: index)
            // The recordings directory has spoken for itself.
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
            result.warnings.append("\(waiting) interrupted call\(waiting == 1 ? "" : "s") could not be finished: see the log, and callreel repair")
        }
        return result
    }

    /// Whether calls cannot be recorded as they must be without a directory.
    private func isVital(_ directory: StorageDirectory) -> Bool {
        plans.indices.contains { index in
            let places = storage.places(of: index)
            return plans[index].envelope.required && places.count == 1 && places[0].directory === directory
        }
    }

    private func note(_ directory: StorageDirectory, isVital: Bool, in result: inout Readiness) {
        if let delay = directory.delay { result.warnings.append(delay) }
        guard let shortage = directory.shortage else { return }
        if isVital, directory.level == .critical { result.obstacles.append(.init(.disk, shortage)) } else { result.warnings.append(shortage) }
    }
}
