package import CallreelCore

extension Configuration {
    /// What a look at this machine, as it is now, finds wrong with a configuration.
    package struct Inspection: Sendable {
        /// What fails in each call: a directory in which nothing can be made, a program that is not there.
        package var mistakes: [ConfigurationProblem] = []
        /// What is missing here and may be there where, or when, the server starts: secrets, certificates, disks that must be mounted.
        package var notes: [ConfigurationProblem] = []
    }

    /// Looks at directories, programs, secrets and certificates, and makes nothing. Blocks.
    package func inspect() -> Inspection {
        var found = Inspection()
        func check(_ path: String?, _ place: ConfigurationPath, mustExist: Bool) {
            guard let path else { return }
            let text = JSONValue.string(path).json()
            if let mistake = DirectoryCheck.mistake(path) {
                found.mistakes.append(.init(at: place, "\(text) \(mistake)"))
            } else if mustExist, let mistake = DirectoryCheck.mistake(path, mustExist: true) {
                found.notes.append(.init(at: place, "\(text) \(mistake)"))
            }
        }
        check(recordings.directory, .root.key("recordings").key("directory"), mustExist: recordings.mustExist)
        for sink in sinks {
            check(sink.envelope.directory, sink.place.key("directory"), mustExist: sink.envelope.mustExist)
            check(sink.envelope.fallback, sink.place.key("fallback"), mustExist: sink.envelope.mustExist)
            if let obstacle = sink.obstacle { found.mistakes.append(.init(at: sink.place, obstacle)) }
        }
        if let exposure { found.mistakes.append(exposure) }
        do throws(ConfigurationProblem) { _ = try Door.Secrets(self) } catch { found.notes.append(error) }
        return found
    }
}
