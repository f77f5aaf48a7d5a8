/// One sink entry of the configuration, checked: everything needed to serve a call with it.
package struct SinkPlan: Sendable {
    /// The registered type.
    package let type: String
    /// Where the entry stands in the configuration.
    package let place: ConfigurationPath
    /// The entry's name, unique among the plans.
    package let name: String
    /// What every sink has.
    package let envelope: SinkEnvelope
    /// Whether this is the first entry of its type, whose files carry no sink name.
    let isFirstOfType: Bool
    /// The type with its options.
    let runner: SinkRunner
    /// Whether the entry can be opened, as far as is known.
    let health = SinkHealth()
    /// What changes the rate where the entry asks for another; nil where it does not.
    let rateConverter: SinkRegistry.RateConverterMaker?
    /// Threads for this entry alone, so that a destination that blocks holds up nobody else's.
    let threads: SinkThreads

    /// What keeps the sink from working on this machine as it is now, in words; nil where nothing is known to. Blocks.
    package var obstacle: String? { runner.findObstacle() }

    /// Reads the `sinks` array of a configuration and reports every mistake in it. Disabled entries are checked
    /// and left out.
    /// - Parameters:
    ///   - format: the shape of the audio that calls will bring, where it is known.
    ///   - home: the recordings directory, where it is known.
    package static func read(
        _ value: JSONValue, at path: ConfigurationPath, registry: SinkRegistry, format: AudioFormat? = nil, home: String? = nil,
        problems: inout [ConfigurationProblem]
    ) -> [SinkPlan] {
        guard case .array(let elements) = value else {
            problems.append(.init(at: path, "\(value.found) is not a list of sinks such as [{\"type\": \"wav\"}]"))
            return []
        }
        var plans: [SinkPlan] = []
        var names: Set<String> = []
        var seen: [String: Int] = [:]
        for (index, element) in elements.enumerated() {
            let place = path.index(index)
            guard let entry = entry(element, at: place, registry: registry, problems: &problems) else {
                // Nobody knows its options, but what every sink has can be checked.
                if case .object = element { _ = SinkEnvelope.read(element, at: place, alongside: nil, problems: &problems) }
                continue
            }
            let envelope = SinkEnvelope.read(
                element, at: place, alongside: ["type"] + entry.options.map(\.name), problems: &problems)
            let before = problems.count
            let runner = entry.prepare(element, place, &problems)
            // Options with mistakes are in part at their defaults, of which nothing can be said.
            if let format, problems.count == before, let reason = runner.refusal(envelope.format(of: format)) {
                problems.append(.init(at: place, reason))
            }
            if let rate = envelope.sampleRate, registry.rateConverter == nil {
                problems.append(.init(at: place.key("sampleRate"), "\(rate) cannot be had: this program has nothing that changes a rate"))
            }
            let number = seen[entry.type, default: 0] + 1
            seen[entry.type] = number
            let name = envelope.name ?? (number == 1 ? entry.type : "\(entry.type)-\(number)")
            if !names.insert(name.lowercased()).inserted {
                problems.append(.init(at: place.key("name"), "\"\(name)\" is the name of another sink already"))
            }
            if envelope.mustExist, envelope.directory == nil, envelope.fallback == nil {
                let reason = "says nothing without a directory; recordings.mustExist is for the recordings directory"
                problems.append(.init(at: place.key("mustExist"), reason))
            }
            if let fallback = envelope.fallback, SinkFiles.key(fallback, home: home) == SinkFiles.key(envelope.directory, home: home) {
                problems.append(.init(at: place.key("fallback"), "\"\(fallback)\" is the directory itself, which would fail in the same way"))
            }
            guard envelope.enabled else { continue }
            plans.append(
                SinkPlan(
                    type: entry.type, place: place, name: name, envelope: envelope, isFirstOfType: number == 1, runner: runner,
                    rateConverter: envelope.sampleRate == nil ? nil : registry.rateConverter,
                    threads: SinkThreads(name: name)))
        }
        problems += SinkFiles.collisions(of: plans, home: home)
        return plans
    }

    private static func entry(
        _ element: JSONValue, at place: ConfigurationPath, registry: SinkRegistry, problems: inout [ConfigurationProblem]
    ) -> SinkRegistry.Entry? {
        let known = registry.types.map(\.type)
        guard case .object(let members) = element else {
            problems.append(.init(at: place, "\(element.found) is not a sink such as {\"type\": \"\(known.first ?? "wav")\"}"))
            return nil
        }
        let list = known.joined(separator: ", ")
        guard let type = members["type"] else {
            let near = "type".nearest(in: members.keys.sorted()).map { "; is \"\($0)\" meant to be \"type\"?" } ?? ""
            problems.append(.init(at: place.key("type"), "is missing; known types are \(list)\(near)"))
            return nil
        }
        guard let name = type.string, let entry = registry[name] else {
            let near = type.string?.nearest(in: known).map { "; did you mean \"\($0)\"?" } ?? ""
            problems.append(.init(at: place.key("type"), "\(type.found) is not a known type; known types are \(list)\(near)"))
            return nil
        }
        return entry
    }
}
