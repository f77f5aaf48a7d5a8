import CallreelCore

extension Recorder {
    /// The present readiness. Does not block: it uses the results of background checks.
    package var readiness: Readiness {
        var result = Readiness()
        if isDraining { result.obstacles.append(.init(.draining, "the server is shutting down")) }
        if let problem = storage.home.problem { result.obstacles.append(.init(.disk, problem)) }
        note(storage.home, isVital: true, in: &result)
        for directory in storage.others { note(directory, isVital: isVital(directory), in: &result) }
        for station in stations {
            let plan = station.plan, places = station.places
            // Problems of the recordings directory are already included above.
            let problems = places.filter { $0.root != nil }.compactMap(\.directory.problem)
            let problem = problems.count == places.count ? problems.first : station.health.problem
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
        for station in stations where station.health.callsBehind > 0 {
            let calls = station.health.callsBehind
            result.warnings.append(
                "the sink \(station.plan.name) does not keep up with \(calls) call\(calls == 1 ? "" : "s")")
        }
        for station in deliverer.stations {
            guard let trouble = station.trouble else { continue }
            let noun = trouble.count == 1 ? "recording waits" : "recordings wait"
            result.warnings.append(
                "the delivery \(station.ready.name) fails: \(trouble.reason); \(trouble.count) \(noun)")
        }
        if let unpublished {
            let noun = unpublished.count == 1 ? "recording waits" : "recordings wait"
            result.warnings.append("\(unpublished.count) \(noun) to be published: \(unpublished.cause)")
        }
        let waiting = archive.waitingCalls
        if waiting > 0 {
            result.warnings.append(
                "\(waiting) interrupted call\(waiting == 1 ? "" : "s") could not be finished: "
                    + "see the log and callreel repair"
            )
        }
        return result
    }

    /// Returns true if a required sink can write only to this directory.
    private func isVital(_ directory: StorageDirectory) -> Bool {
        stations.contains { station in
            let places = station.places
            return station.plan.envelope.required && places.count == 1 && places[0].directory === directory
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
