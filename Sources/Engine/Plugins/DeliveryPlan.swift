package import CallreelCore
package import Logging

/// One checked delivery entry of the configuration.
package struct DeliveryPlan: Sendable {
    /// The entry's path in the configuration.
    package let place: ConfigurationPath
    /// The entry's name, unique among the plans.
    package let name: String
    /// The keys common to all deliveries.
    package let envelope: DeliveryEnvelope
    /// The type with its options.
    let delivery: PreparedDelivery

    /// The registered type.
    package var type: String { delivery.type }

    /// Returns the key of the entry's condition that keeps a call out; nil if its recording is delivered.
    package func mismatch(_ call: CallFacts) -> String? { envelope.when?.mismatch(call) }

    /// The reason why the delivery cannot work on this machine now, in words; nil if none is known. Blocks.
    package var obstacle: String? { delivery.findObstacle() }

    /// Reads the `deliveries` array of a configuration, and reports every mistake in it. Disabled entries are checked
    /// and left out.
    package static func read(
        _ value: JSONValue, at path: ConfigurationPath, registry: DeliveryRegistry,
        problems: inout [ConfigurationProblem]
    ) -> [DeliveryPlan] {
        let known = registry.types.map(\.type), example = known.first ?? "exec"
        guard case .array(let elements) = value else {
            problems.append(
                .init(at: path, "\(value.found) is not a list of deliveries such as [{\"type\": \"\(example)\"}]"))
            return []
        }
        var plans: [DeliveryPlan] = [], names: Set<String> = [], seen: [String: Int] = [:]
        for (index, element) in elements.enumerated() {
            let place = path.index(index)
            let type = PluginEntry.type(
                of: element, at: place, family: "delivery", known: known, example: example, problems: &problems)
            guard let entry = type.flatMap({ registry[$0] }) else { continue }
            let before = problems.count
            let envelope = DeliveryEnvelope.read(
                element, at: place, alongside: ["type"] + entry.options.map(\.name), problems: &problems)
            let delivery = entry.prepare(element, place, &problems)
            if problems.count == before, let reason = delivery.refusal { problems.append(.init(at: place, reason)) }
            let number = seen[entry.type, default: 0] + 1
            seen[entry.type] = number
            let name = envelope.name ?? (number == 1 ? entry.type : "\(entry.type)-\(number)")
            if !names.insert(name.lowercased()).inserted {
                problems.append(.init(at: place.key("name"), "\"\(name)\" is already the name of another delivery"))
            }
            if envelope.enabled {
                plans.append(DeliveryPlan(place: place, name: name, envelope: envelope, delivery: delivery))
            }
        }
        return plans
    }

    /// Makes the delivery, ready for recordings. Reads its secrets, and may block for that.
    package func make(_ logger: Logger) throws(ConfigurationProblem) -> ReadyDelivery {
        var logger = logger
        logger[metadataKey: "delivery.name"] = "\(name)"
        let delivery = try delivery.make(
            DeliveryContext(place: place, name: name, deadline: .seconds(envelope.deadline), logger: logger))
        return ReadyDelivery(name: name, type: type, envelope: envelope, delivery: delivery, logger: logger)
    }
}

/// A delivery of the configuration, ready for recordings.
package struct ReadyDelivery: Sendable {
    let name: String
    let type: String
    let envelope: DeliveryEnvelope
    let delivery: any Delivery
    let logger: Logger

    /// The entry of the ledger of a call that begins.
    var entry: DeliveryEntry { DeliveryEntry(type: type, name: name) }
}
