import CallreelCore

/// Names of the files that the entries of a configuration will make, as far as they are known before a call.
enum FileClashes {
    /// Returns a directory in a comparable form, without reading the disk. Nil equals the recordings directory.
    static func key(_ directory: String?, home: String?) -> String {
        guard let directory = directory ?? home else { return "" }
        var parts: [Substring] = []
        for part in directory.split(separator: "/") where part != "." {
            // Textual only: the target of a link is not looked up.
            if part == "..", let last = parts.last, last != ".." { parts.removeLast() } else { parts.append(part) }
        }
        return (directory.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }

    /// Returns a problem for each entry that would make the same file as an earlier entry. The later one could be
    /// opened in no call.
    static func collisions(of plans: [SinkPlan], home: String?) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        var owners: [String: SinkPlan] = [:]
        for plan in plans {
            for file in files(of: plan, home: home) {
                // Some file systems ignore the case of letters.
                let key = "\(file.directory)/\(file.ending.lowercased())"
                guard let owner = owners[key] else {
                    owners[key] = plan
                    continue
                }
                let reason =
                    "would create the same NAME\(file.ending) as \(owner.place): set a \"directory\" for one of them"
                problems.append(.init(at: plan.place, reason))
                break
            }
        }
        return problems
    }

    /// Returns an entry's files: the directory, and the part of the name that follows the recording's name.
    private static func files(of plan: SinkPlan, home: String?) -> [(directory: String, ending: String)] {
        plan.directories.enumerated().flatMap { number, directory in
            plan.sink.files.known.map { suffix in
                (key(directory, home: home), "\(plan.fileMark(isFallback: number > 0)).\(suffix)")
            }
        }
    }
}

extension SinkPlan {
    /// Returns the text between the recording's name and the suffix in the names of an entry's files.
    func fileMark(isFallback: Bool) -> String { (isFirstOfType ? "" : ".\(name)") + (isFallback ? ".fallback" : "") }
}
