package import CallreelCore

extension Configuration {
    /// What keeps a server with this configuration from starting, or its sinks from recording, on this machine as it is now. Blocks: it
    /// looks at directories, programs, secrets and certificates, and makes nothing.
    package var obstacles: [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func check(_ path: String?, _ place: ConfigurationPath, mustExist: Bool) {
            guard let path, let mistake = DirectoryCheck.mistake(path, mustExist: mustExist) else { return }
            problems.append(.init(at: place, "\(JSONValue.string(path).json()) \(mistake)"))
        }
        check(recordings.directory, .root.key("recordings").key("directory"), mustExist: recordings.mustExist)
        for sink in sinks {
            check(sink.envelope.directory, sink.place.key("directory"), mustExist: sink.envelope.mustExist)
            check(sink.envelope.fallback, sink.place.key("fallback"), mustExist: sink.envelope.mustExist)
            if let obstacle = sink.obstacle { problems.append(.init(at: sink.place, obstacle)) }
        }
        if let exposure { problems.append(exposure) }
        do throws(ConfigurationProblem) { _ = try Door.Secrets(self) } catch { problems.append(error) }
        return problems
    }
}
