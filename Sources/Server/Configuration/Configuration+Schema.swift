package import CallreelCore

extension Configuration {
    /// Returns every key at its default, with one entry for each registered sink type.
    package static func example(plugins: Plugins) -> JSONValue {
        let sinks = plugins.sinks.types.map { entry -> JSONValue in
            let options = entry.options.map { ($0.name, $0.standard) }
            return .object(
                SinkEnvelope().json.merging(options) { mine, _ in mine }.merging([
                    "type": .string(entry.type), "filters": .array([]),
                ]) {
                    mine, _ in mine
                })
        }
        let carriers = plugins.carriers.types.map { entry -> JSONValue in
            let options = entry.options.map { ($0.name, $0.standard) }
            let own: [String: JSONValue] = [
                "type": .string(entry.type), "path": .string(entry.standardPath),
                "webhooks": .string(entry.standardWebhooks),
            ]
            return .object(CarrierEnvelope().json.merging(options) { mine, _ in mine }.merging(own) { _, own in own })
        }
        // Not enabled: what a delivery needs cannot be a default.
        let deliveries = plugins.deliveries.types.map { entry -> JSONValue in
            let options = entry.options.map { ($0.name, $0.standard) }
            return .object(
                DeliveryEnvelope().json.merging(options) { mine, _ in mine }.merging([
                    "type": .string(entry.type), "enabled": false,
                ]) { _, own in own })
        }
        let lists: [String: JSONValue] = [
            "sinks": .array(sinks), "carriers": .array(carriers), "deliveries": .array(deliveries),
        ]
        return .object(Sections().json.merging(lists) { mine, _ in mine })
    }

    /// Returns the JSON Schema (draft 2020-12) of the whole file.
    package static func schema(plugins: Plugins) -> JSONValue {
        let sinks: JSONValue = .object([
            "type": "array", "minItems": 1, "description": "The sinks of every call.",
            "items": plugins.sinks.entrySchema(filters: plugins.filters),
        ])
        var lists = [
            "sinks": sinks,
            "carriers": .object([
                "type": "array", "minItems": 1, "description": "The carriers that may send calls.",
                "items": plugins.carriers.entrySchema,
            ]),
        ]
        lists["deliveries"] = .object([
            "type": "array", "description": "What to do with each finished recording.", "default": .array([]),
            "items": plugins.deliveries.entrySchema,
        ])
        // Short for a list of one.
        for entry in plugins.carriers.types { lists[entry.type] = entry.objectSchema }
        var schema = Sections.schema(alongside: lists)
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["title"] = "Callreel configuration"
        schema["required"] = .array(["sinks"])
        return .object(schema)
    }
}
