package import CallreelCore

/// One checked sink entry of the configuration, with everything needed to serve a call.
package struct SinkPlan: Sendable {
    /// The entry's path in the configuration.
    package let place: ConfigurationPath
    /// The entry's name, unique among the plans.
    package let name: String
    /// The keys common to all sinks.
    package let envelope: SinkEnvelope
    /// This is the first entry of its type. Its files carry no sink name.
    let isFirstOfType: Bool
    /// The type with its options.
    let sink: PreparedSink
    /// The filters that the audio goes through before the sink.
    var filters: [PreparedFilter] = []
    /// Makes the rate converter if the entry asks for another rate; otherwise nil.
    let rateConverter: RateConverterMaker?

    /// The registered type.
    package var type: String { sink.type }

    /// Returns the key of the entry's condition that keeps a call out; nil if the sink records the call.
    package func mismatch(_ call: CallFacts) -> String? { envelope.when?.mismatch(call) }

    /// The paths of the sink's directories as configured: the first, then the fallback. Nil is the recordings
    /// directory.
    var directories: [String?] { [envelope.directory] + (envelope.fallback.map { [$0] } ?? []) }

    /// The reason why the sink cannot work on this machine now, in words; nil if none is known. Blocks.
    package var obstacle: String? { sink.findObstacle() }

    /// Reads the `sinks` array of a configuration, and reports every mistake in it. Disabled entries are checked
    /// and left out.
    /// - Parameters:
    ///   - formats: the shapes of the audio of future calls, as far as they are known.
    ///   - home: the recordings directory, if known.
    package static func read(
        _ value: JSONValue, at path: ConfigurationPath, registry: SinkRegistry,
        filters knownFilters: FilterRegistry = FilterRegistry(), formats: [AudioFormat] = [],
        home: String? = nil,
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
                // The options of an unknown type cannot be checked, but the keys of all sinks can.
                if case .object = element {
                    _ = SinkEnvelope.read(element, at: place, alongside: nil, problems: &problems)
                }
                continue
            }
            let envelope = SinkEnvelope.read(
                element, at: place, alongside: ["type", "filters"] + entry.options.map(\.name), problems: &problems)
            var filters: [PreparedFilter] = []
            if case .object(let members) = element, let list = members["filters"] {
                filters = knownFilters.read(list, at: place.key("filters"), problems: &problems)
            }
            let before = problems.count
            let sink = entry.prepare(element, place, &problems)
            // Options with mistakes are in part at their defaults: a refusal would not be about the operator's values.
            if problems.count == before,
                let reason = formats.lazy.compactMap({ sink.refusal(envelope.format(of: $0)) }).first
            {
                problems.append(.init(at: place, reason))
            }
            if let rate = envelope.sampleRate, registry.rateConverter == nil {
                problems.append(
                    .init(
                        at: place.key("sampleRate"),
                        "\(rate) is not possible: this program has no rate converter"))
            }
            let number = seen[entry.type, default: 0] + 1
            seen[entry.type] = number
            let name = envelope.name ?? (number == 1 ? entry.type : "\(entry.type)-\(number)")
            if !names.insert(name.lowercased()).inserted {
                problems.append(.init(at: place.key("name"), "\"\(name)\" is already the name of another sink"))
            }
            if envelope.mustExist, envelope.directory == nil, envelope.fallback == nil {
                let reason = "has no effect without a directory; use recordings.mustExist for the recordings directory"
                problems.append(.init(at: place.key("mustExist"), reason))
            }
            if let fallback = envelope.fallback,
                FileClashes.key(fallback, home: home) == FileClashes.key(envelope.directory, home: home)
            {
                problems.append(
                    .init(
                        at: place.key("fallback"),
                        "\"\(fallback)\" is the directory itself; name another one"))
            }
            guard envelope.enabled else { continue }
            var plan = SinkPlan(
                place: place, name: name, envelope: envelope, isFirstOfType: number == 1, sink: sink,
                rateConverter: envelope.sampleRate == nil ? nil : registry.rateConverter)
            plan.filters = filters
            plans.append(plan)
        }
        problems += FileClashes.collisions(of: plans, home: home)
        return plans
    }

    private static func entry(
        _ element: JSONValue, at place: ConfigurationPath, registry: SinkRegistry,
        problems: inout [ConfigurationProblem]
    ) -> SinkRegistry.Entry? {
        let known = registry.types.map(\.type)
        return PluginEntry.type(
            of: element, at: place, family: "sink", known: known, example: known.first ?? "wav", problems: &problems
        )
        .flatMap { registry[$0] }
    }
}
