package import CallreelCore
import CallreelEngine
import CallreelNetwork

extension Configuration {
    /// The result of an inspection of this machine in its present state.
    package struct Inspection: Sendable {
        /// Mistakes that make every call fail, such as a directory without write permission or a missing program.
        package var mistakes: [ConfigurationProblem] = []
        /// Secrets, certificates and disks missing now. They may be there when the server starts.
        package var notes: [ConfigurationProblem] = []
    }

    /// One finding about a directory or a program.
    private enum Finding: Sendable {
        case mistake(String)
        case note(String)
    }

    /// Time limit for all directories and programs together to answer.
    private static let lookLimit = Duration.seconds(5)

    /// Inspects directories, programs, secrets and certificates. Creates nothing. Blocks for a few seconds at most:
    /// a directory without an answer by then is a mistake.
    package func inspect() -> Inspection {
        var looks: [(place: ConfigurationPath, silence: String, question: DiskQuestion<Finding?>)] = []
        func check(_ path: String?, _ place: ConfigurationPath, mustExist: Bool) {
            guard let path else { return }
            let name = JSONValue.string(path).json()
            let question = DiskQuestion<Finding?> {
                if let mistake = DirectoryCheck.mistake(path) { return .mistake("\(name) \(mistake)") }
                return mustExist ? DirectoryCheck.mistake(path, mustExist: true).map { .note("\(name) \($0)") } : nil
            }
            looks.append((place, "\(name) does not answer", question))
        }
        check(recordings.directory, .root.key("recordings").key("directory"), mustExist: recordings.mustExist)
        for sink in sinks {
            check(sink.envelope.directory, sink.place.key("directory"), mustExist: sink.envelope.mustExist)
            check(sink.envelope.fallback, sink.place.key("fallback"), mustExist: sink.envelope.mustExist)
            looks.append(
                (
                    sink.place, "a file or program that the sink needs does not answer",
                    DiskQuestion { sink.obstacle.map { .mistake($0) } }
                )
            )
        }
        for delivery in deliveries {
            looks.append(
                (
                    delivery.place, "a file or program that the delivery needs does not answer",
                    DiskQuestion { delivery.obstacle.map { .mistake($0) } }
                )
            )
        }
        var found = Inspection()
        let deadline = ContinuousClock.now + Self.lookLimit
        for (place, silence, question) in looks {
            switch question.answer(by: deadline) {
            case .none: found.mistakes.append(.init(at: place, silence))
            case .some(.none): break
            case .some(.mistake(let text)): found.mistakes.append(.init(at: place, text))
            case .some(.note(let text)): found.notes.append(.init(at: place, text))
            }
        }
        if let exposure { found.mistakes.append(exposure) }
        let publicURL = publicURL ?? PublicURL(host: listen.host, port: listen.port, isSecure: listen.tls != nil)
        do throws(ConfigurationProblem) { _ = try Door.Secrets(self) { publicURL } } catch { found.notes.append(error) }
        return found
    }
}
