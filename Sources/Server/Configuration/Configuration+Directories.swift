package import CallreelCore

extension Configuration {
    /// The directories in which no recording could be made on this machine as it is now. Blocks: it looks at the disk, and makes nothing.
    package var directoryProblems: [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func check(_ path: String?, _ place: ConfigurationPath) {
            guard let path, let mistake = DirectoryCheck.mistake(path) else { return }
            problems.append(.init(at: place, "\(JSONValue.string(path).json()) \(mistake)"))
        }
        check(recordings.directory, .root.key("recordings").key("directory"))
        for sink in sinks {
            check(sink.envelope.directory, sink.place.key("directory"))
            check(sink.envelope.fallback, sink.place.key("fallback"))
        }
        return problems
    }
}
