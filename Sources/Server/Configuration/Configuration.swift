package import CallreelCore
package import CallreelEngine
package import CallreelNetwork
import Foundation

/// The checked content of the configuration file.
package struct Configuration: Sendable {
    /// The server's address, and the times of its connections.
    package struct Listen: Configurable {
        package var host = "127.0.0.1"
        package var port = 9292
        package var readInterval = 0.2
        package var pingInterval = 20.0
        package var idleTimeout = 60.0
        package var drainTimeout = 20.0
        package var tls: TLS?
        package var trustedProxies: [String] = []

        package init() {}

        package static let fields: [Field<Self>] = [
            .string(
                "host", \.host, type: "address or host name",
                "The address to listen on; 127.0.0.1 is reached from this machine only, 0.0.0.0 from everywhere."
            ) {
                $0.isEmpty ? "is not an address such as \"127.0.0.1\"" : nil
            },
            .integer("port", \.port, in: 0...65535, "The TCP port; 0 takes any free one and prints it."),
            .number(
                "readInterval", \.readInterval, in: 0.02...1,
                "Seconds between two reads of a call's socket; more costs less, less shows live calls sooner."),
            .number(
                "pingInterval", \.pingInterval, in: 1...3600,
                "Seconds without anything received after which a call's carrier is pinged."),
            .number(
                "idleTimeout", \.idleTimeout, in: 1...86400,
                "Seconds without anything received, not even an answer to a ping, after which a call's connection is given up."
            ),
            .number(
                "drainTimeout", \.drainTimeout, in: 0...86400,
                "Seconds that running calls have to end by themselves when the program is told to stop."),
            .section("tls", \.tls, "Serves https and wss with this certificate; null serves http and ws."),
            .strings(
                "trustedProxies", \.trustedProxies, of: "addresses and networks such as \"10.0.0.0/8\"",
                "Whose word about the client is believed: X-Forwarded-For, Forwarded or X-Real-IP; X-Forwarded-Proto and X-Forwarded-Host."
            ) {
                AddressRange($0) == nil
                    ? "is not an address such as \"10.0.0.1\" or a network such as \"10.0.0.0/8\"" : nil
            },
        ]
    }

    /// The directory and the names of recordings, and the limits of disk space.
    package struct Recordings: Configurable {
        package var directory = "recordings"
        package var mustExist = false
        package var name = "{date}/{time}-{from|unknown}-{id}"
        package var mode = "0640"
        package var lowSpace = 1000
        package var criticalSpace = 100
        package var pauseGuard = Recorder.pauseGuard

        package init() {}

        package static let fields: [Field<Self>] = [
            .string(
                "directory", \.directory, type: "path",
                "Where recordings appear; relative to the directory that the program is started in."
            ) {
                $0.mistakeAsPath
            },
            .boolean(
                "mustExist", \.mustExist,
                "Whether the program refuses to start where `directory` is missing, as on a disk that is not mounted, instead of making it."
            ),
            .string(
                "name", \.name, type: "template",
                "How a recording is named, with placeholders: \(NameTemplate.placeholders.map { "{\($0)}" }.joined(separator: " ")); {from|to|unknown} takes the first that is known."
            ) { text in
                do throws(DiskError) {
                    _ = try NameTemplate(text)
                    return nil
                } catch {
                    return error.reason
                }
            },
            .string(
                "mode", \.mode, type: "octal permissions",
                "Permission bits of the files; directories get search added where reading is allowed."
            ) {
                Self.permissions($0) == nil
                    ? "is not four octal digits such as \"0640\" that let the owner read and write" : nil
            },
            .integer(
                "lowSpace", \.lowSpace, in: 0...1_000_000_000,
                "Megabytes (10^6 bytes) of free space below which log, metrics, page and readiness warn; 0 never does."),
            .integer(
                "criticalSpace", \.criticalSpace, in: 0...1_000_000_000,
                "Megabytes of free space below which new calls are refused with 503; running ones go on. 0 never does."),
            .number(
                "pauseGuard", \.pauseGuard, in: 0...60,
                "Seconds for which a call stays masked after its recording was resumed, so that nothing of the pause that is still on its way is kept."
            ),
        ]

        /// Returns the bits of four octal digits. Returns nil unless the owner may read and write and
        /// only permission bits are set.
        static func permissions(_ text: String) -> Int? {
            guard text.utf8.count == 4, text.utf8.allSatisfy({ 0x30...0x37 ~= $0 }), let bits = Int(text, radix: 8)
            else { return nil }
            return bits & ~0o777 == 0 && bits & 0o600 == 0o600 ? bits : nil
        }

        /// The marks of free disk space, in bytes.
        var marks: SpaceMarks { SpaceMarks(low: lowSpace * 1_000_000, critical: criticalSpace * 1_000_000) }

        /// Returns the store described by this section.
        package func store() throws(DiskError) -> RecordingStore {
            RecordingStore(
                directory: directory, template: try NameTemplate(name), fileMode: Self.permissions(mode) ?? 0o640,
                mustExist: mustExist)
        }
    }

    /// The keys of the file except those of sinks and carriers. Reading these needs the registries.
    struct Sections: Configurable {
        var schema: String?
        var listen = Listen()
        var publicURL: String?
        var recordings = Recordings()
        var access = Access()
        var limits = Limits()

        static let fields: [Field<Self>] = [
            .string(
                "$schema", \.schema, type: "path or URL",
                "Where editors find the schema of this file, to complete keys and mark mistakes; the program does not look there."
            ),
            .section("listen", \.listen, "Where the server listens."),
            .string(
                "publicURL", \.publicURL, type: "http or https URL",
                "The address at which carriers reach the server; null uses the address it listens on."
            ) {
                PublicURL($0) == nil ? "is not an http or https URL such as \"https://calls.example.com\"" : nil
            },
            .section("recordings", \.recordings, "Where recordings go."),
            .section("access", \.access, "Who may open the page, use its API and fetch recordings."),
            .section("limits", \.limits, "What clients may ask of the server, one by one and all together."),
        ]
    }

    package var listen: Listen
    /// The address at which carriers reach the server; nil means its own listening address.
    package var publicURL: PublicURL?
    package var recordings: Recordings
    /// The sinks that receive every call.
    package var sinks: [SinkPlan]
    /// All known sink types, used or not. Recordings of an earlier configuration may need them.
    package let registry: SinkRegistry
    /// The carriers that may send calls.
    package var carriers: [CarrierPlan]
    package var access: Access
    package var limits: Limits

    /// Reads a configuration strictly and reports every mistake in it. Replaces `${NAME}` from the environment.
    package init(
        _ value: JSONValue, plugins: Plugins, environment: [String: String], problems: inout [ConfigurationProblem]
    ) {
        let registry = plugins.sinks
        self.registry = registry
        let substitution = EnvironmentSubstitution(environment, in: value, problems: &problems)
        let value = substitution.value
        let before = problems.count
        defer { substitution.hideValues(in: &problems[before...]) }
        let sections = Sections.read(
            value, at: .root, alongside: ["sinks", "carriers"] + plugins.carriers.types.map(\.type), problems: &problems
        )
        listen = sections.listen
        publicURL = sections.publicURL.flatMap(PublicURL.init)
        recordings = sections.recordings
        if recordings.criticalSpace > recordings.lowSpace {
            let reason =
                "\(recordings.criticalSpace) is more than lowSpace, \(recordings.lowSpace): the warning would come after the refusal"
            problems.append(.init(at: ConfigurationPath.root.key("recordings").key("criticalSpace"), reason))
        }
        access = sections.access
        limits = sections.limits
        sinks = []
        carriers = []
        let place = ConfigurationPath.root.key("sinks")
        guard case .object(let members) = value else { return }
        carriers = CarrierPlan.read(members, registry: plugins.carriers, problems: &problems)
        guard let list = members["sinks"] else {
            problems.append(.init(at: place, "is missing; name at least one sink, such as [{\"type\": \"wav\"}]"))
            return
        }
        let soFar = problems.count
        sinks = SinkPlan.read(
            list, at: place, registry: registry, formats: carriers.compactMap(\.carrier.format),
            home: recordings.directory,
            problems: &problems)
        if sinks.isEmpty, problems.count == soFar {
            problems.append(
                .init(
                    at: place,
                    "has no enabled sink, so nothing would be recorded; name at least one, such as {\"type\": \"wav\"}")
            )
        }
    }
}

extension Configuration {
    /// Returns every key at its default, with one entry for each registered sink type.
    package static func example(plugins: Plugins) -> JSONValue {
        let sinks = plugins.sinks.types.map { entry -> JSONValue in
            let options = entry.options.map { ($0.name, $0.standard) }
            return .object(
                SinkEnvelope().json.merging(options) { mine, _ in mine }.merging(["type": .string(entry.type)]) {
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
        return .object(
            Sections().json.merging(["sinks": .array(sinks), "carriers": .array(carriers)]) { mine, _ in mine })
    }

    /// Returns the JSON Schema (draft 2020-12) of the whole file.
    package static func schema(plugins: Plugins) -> JSONValue {
        let sinks: JSONValue = .object([
            "type": "array", "minItems": 1, "description": "The sinks that every call is given to.",
            "items": plugins.sinks.entrySchema,
        ])
        var lists = [
            "sinks": sinks,
            "carriers": .object([
                "type": "array", "minItems": 1, "description": "The carriers that may send calls.",
                "items": plugins.carriers.entrySchema,
            ]),
        ]
        // Short for a list of one.
        for entry in plugins.carriers.types { lists[entry.type] = entry.objectSchema }
        var schema = Sections.schema(alongside: lists)
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["title"] = "Callreel configuration"
        schema["required"] = .array(["sinks"])
        return .object(schema)
    }
}

/// Mistakes in the configuration. They stop the program at the start.
package struct ConfigurationError: Error, CustomStringConvertible, Sendable {
    /// The configuration file.
    package let file: String
    package let problems: [ConfigurationProblem]

    /// Makes an error from mistakes.
    package init(file: String, problems: [ConfigurationProblem]) {
        self.file = file
        self.problems = problems
    }

    /// One line for each mistake.
    package var lines: [String] { problems.map { "\(file): \($0)" } }

    package var description: String { lines.joined(separator: "\n") }
}

extension Configuration {
    /// Largest size of a configuration file, in bytes.
    private static let fileLimit = 1 << 24

    /// Reads a configuration file or a pipe; `-` is standard input. Blocks. The error names every mistake.
    package init(
        file: String, plugins: Plugins, environment: [String: String]
    ) throws(ConfigurationError) {
        func failure(_ reason: String) -> ConfigurationError {
            ConfigurationError(file: file, problems: [.init(at: .root, reason)])
        }
        let data: Data
        do throws(FileContent.Failure) {
            data = try FileContent.read(file, limit: Self.fileLimit, dash: true)
        } catch {
            throw failure(
                error.isMissing
                    ? "there is no such file; name another with --config, or write one from `config example`"
                    : "cannot be read: \(error.reason)")
        }
        let value: JSONValue
        do throws(JSONSyntaxError) { value = try JSONValue(parsing: data) } catch {
            throw failure("is not JSON: \(error.reason)")
        }
        var problems: [ConfigurationProblem] = []
        self.init(value, plugins: plugins, environment: environment, problems: &problems)
        guard problems.isEmpty else { throw ConfigurationError(file: file, problems: problems) }
    }
}
