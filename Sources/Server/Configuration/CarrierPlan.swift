package import CallreelCore

/// One checked carrier entry of the configuration.
package struct CarrierPlan: Sendable {
    /// The entry's path in the configuration.
    package let place: ConfigurationPath
    /// The entry's name, unique among the plans.
    package let name: String
    /// The path of the WebSocket.
    package let path: String
    /// The prefix of the webhooks.
    package let webhooks: String
    /// The keys common to all carriers.
    package let envelope: CarrierEnvelope
    /// The type with its options.
    let carrier: PreparedCarrier

    /// The registered type.
    package var type: String { carrier.type }

    /// The first components of paths that the program itself answers.
    static let ownPaths = ["recordings", "api", "page.js", "page.css"] + HealthRoutes.paths

    /// Reads the carriers of a configuration, and reports every mistake in them. Disabled entries are checked and left
    /// out.
    ///
    /// They are a list under `carriers`, or one object under the name of a registered type. A configuration with
    /// neither has one entry of the registry's standard type.
    static func read(
        _ members: [String: JSONValue], registry: CarrierRegistry, problems: inout [ConfigurationProblem]
    ) -> [CarrierPlan] {
        let short = registry.types.map(\.type).filter { members[$0] != nil }
        let root = ConfigurationPath.root
        guard let list = members["carriers"] else {
            if let second = short.dropFirst().first {
                problems.append(
                    .init(at: root.key(second), "is a second carrier beside \(short[0]); put both into \"carriers\""))
            }
            guard let type = short.first ?? registry.standardType, let entry = registry[type] else {
                problems.append(.init(at: root.key("carriers"), "is missing; name at least one carrier"))
                return []
            }
            var builder = Builder(registry: registry)
            builder.read(members[type] ?? .object([:]), at: root.key(type), entry: entry, problems: &problems)
            return builder.finish(at: root.key(type), problems: &problems)
        }
        for type in short {
            problems.append(
                .init(at: root.key(type), "is given beside \"carriers\"; make it an entry of that list"))
        }
        let place = root.key("carriers")
        guard case .array(let elements) = list else {
            problems.append(
                .init(at: place, "\(list.found) is not a list of carriers such as [{\"type\": \"pcm\"}]"))
            return []
        }
        var builder = Builder(registry: registry)
        for (index, element) in elements.enumerated() {
            let place = place.index(index)
            if let entry = builder.entry(of: element, at: place, problems: &problems) {
                builder.read(element, at: place, alongside: ["type"], entry: entry, problems: &problems)
            }
        }
        return builder.finish(at: place, problems: &problems)
    }

    /// Collects entries in their order.
    private struct Builder {
        let registry: CarrierRegistry
        private var plans: [CarrierPlan] = []
        private var names: Set<String> = []
        private var seen: [String: Int] = [:]
        private var hasMistake = false

        init(registry: CarrierRegistry) { self.registry = registry }

        /// Returns the type of an entry of the list; nil for a mistake.
        mutating func entry(
            of element: JSONValue, at place: ConfigurationPath, problems: inout [ConfigurationProblem]
        ) -> CarrierRegistry.Entry? {
            let type = PluginEntry.type(
                of: element, at: place, family: "carrier", known: registry.types.map(\.type), example: "pcm",
                problems: &problems)
            guard let entry = type.flatMap({ registry[$0] }) else {
                hasMistake = true
                return nil
            }
            return entry
        }

        mutating func read(
            _ value: JSONValue, at place: ConfigurationPath, alongside others: [String] = [],
            entry: CarrierRegistry.Entry, problems: inout [ConfigurationProblem]
        ) {
            let before = problems.count
            let envelope = CarrierEnvelope.read(
                value, at: place, alongside: others + entry.options.map(\.name), problems: &problems)
            // What is no object has been reported once.
            let options: JSONValue = if case .object = value { value } else { .object([:]) }
            let carrier = entry.prepare(options, place, &problems)
            hasMistake = hasMistake || problems.count > before
            let number = seen[entry.type, default: 0] + 1
            seen[entry.type] = number
            let name = envelope.name ?? (number == 1 ? entry.type : "\(entry.type)-\(number)")
            if !names.insert(name.lowercased()).inserted {
                problems.append(.init(at: place.key("name"), "\"\(name)\" is the name of another carrier already"))
            }
            let path = envelope.path ?? (number == 1 ? entry.standardPath : "/calls/\(name)")
            let webhooks = envelope.webhooks ?? (number == 1 ? entry.standardWebhooks : "/webhooks/\(name)")
            for (key, path) in [("path", path), ("webhooks", webhooks)] {
                let first = path.dropFirst().prefix { $0 != "/" }
                if CarrierPlan.ownPaths.contains(String(first)) {
                    problems.append(.init(at: place.key(key), "\"\(path)\" is a reserved path"))
                }
            }
            guard envelope.enabled else { return }
            if let other = plans.first(where: { $0.webhooks == webhooks }) {
                problems.append(
                    .init(
                        at: place.key("webhooks"),
                        "\"\(webhooks)\" is that of \(other.place) already; give each its own"))
            }
            if let other = plans.first(where: {
                $0.webhooks == path || $0.path == webhooks || path.hasPrefix($0.webhooks + "/")
                    || $0.path.hasPrefix(webhooks + "/")
            }) {
                problems.append(
                    .init(
                        at: place.key("path"), "\"\(path)\" and the webhooks of \(other.place) are in each other's way")
                )
            }
            if path == webhooks || path.hasPrefix(webhooks + "/") {
                problems.append(.init(at: place.key("path"), "\"\(path)\" is taken by the webhooks"))
            }
            plans.append(
                CarrierPlan(
                    place: place, name: name, path: path, webhooks: webhooks, envelope: envelope,
                    carrier: carrier))
        }

        func finish(at place: ConfigurationPath, problems: inout [ConfigurationProblem]) -> [CarrierPlan] {
            if plans.isEmpty, !hasMistake {
                problems.append(.init(at: place, "has no enabled carrier, so no call could come; enable at least one"))
            }
            return plans
        }
    }
}
