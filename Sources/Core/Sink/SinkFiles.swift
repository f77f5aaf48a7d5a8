/// The names of files that the entries of a configuration will make, as far as they are known before a call.
enum SinkFiles {
    /// A directory in a form that can be compared, without looking at the disk. Nil and the recordings directory are the same.
    static func key(_ directory: String?, home: String?) -> String {
        guard let directory = directory ?? home else { return "" }
        var parts: [Substring] = []
        for part in directory.split(separator: "/") where part != "." {
            // As far as the text says: where a link leads is for the disk to say.
            if part == "..", let last = parts.last, last != ".." { parts.removeLast() } else { parts.append(part) }
        }
        return (directory.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }

    /// The files that two entries would both make: the second to come could be opened in no call.
    static func collisions(of plans: [SinkPlan], home: String?) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        var owners: [String: SinkPlan] = [:]
        for plan in plans {
            for file in files(of: plan, home: home) {
                // Some file systems take capital letters and small ones for the same.
                let key = "\(file.directory)/\(file.ending.lowercased())"
                guard let owner = owners[key] else {
                    owners[key] = plan
                    continue
                }
                let reason = "would make NAME\(file.ending) in the same directory as \(owner.place): give one of them another \"directory\""
                problems.append(.init(at: plan.place, reason))
                break
            }
        }
        return problems
    }

    /// An entry's files: where they stand, and what follows the recording's name in theirs.
    private static func files(of plan: SinkPlan, home: String?) -> [(directory: String, ending: String)] {
        let places = [plan.envelope.directory] + (plan.envelope.fallback.map { [$0] } ?? [])
        return places.enumerated().flatMap { number, directory in
            plan.runner.fileSuffixes.map { suffix in
                (key(directory, home: home), "\(plan.fileMark(isFallback: number > 0)).\(suffix)")
            }
        }
    }
}

extension SinkPlan {
    /// What stands between the recording's name and the suffix in the names of an entry's files.
    func fileMark(isFallback: Bool) -> String { (isFirstOfType ? "" : ".\(name)") + (isFallback ? ".fallback" : "") }
}
