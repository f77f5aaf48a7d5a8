package import CallreelCore
package import CallreelEngine
package import CallreelNetwork

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
                "The address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for all networks."
            ) {
                $0.isEmpty ? "is not an address such as \"127.0.0.1\"" : nil
            },
            .integer("port", \.port, in: 0...65535, "The TCP port; 0 selects a free port and prints it."),
            .number(
                "readInterval", \.readInterval, in: 0.02...1,
                "Seconds between two reads of a call's socket. More saves CPU time; less shows live calls sooner."),
            .number(
                "pingInterval", \.pingInterval, in: 1...3600,
                "Seconds without data after which Callreel pings a call's carrier."),
            .number(
                "idleTimeout", \.idleTimeout, in: 1...86400,
                "Seconds without data, even without a ping's answer, after which Callreel closes a call's connection."
            ),
            .number(
                "drainTimeout", \.drainTimeout, in: 0...86400,
                "Seconds that running calls have to end by themselves after you stop the program."),
            .section("tls", \.tls, "Serves https and wss with this certificate; null serves http and ws."),
            .strings(
                "trustedProxies", \.trustedProxies, of: "addresses and networks such as \"10.0.0.0/8\"",
                "Proxies trusted to state the client in X-Forwarded-For, -Proto and -Host, Forwarded or X-Real-IP."
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
        package var unwantedCalls = UnwantedCalls.count

        package init() {}

        package static let fields: [Field<Self>] = [
            .string(
                "directory", \.directory, type: "path",
                "The directory of recordings. A relative path starts at the program's working directory."
            ) {
                $0.mistakeAsPath
            },
            .boolean(
                "mustExist", \.mustExist,
                "If true, Callreel never creates `directory`, and refuses to start if it is missing, such as on a "
                    + "disk that is not mounted."
            ),
            .string(
                "name", \.name, type: "template",
                "The name of a recording, with placeholders: "
                    + NameTemplate.placeholders.map { "{\($0)}" }.joined(separator: " ")
                    + "; {from|to|unknown} takes the first known fact."
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
                "Permission bits of the files. Directories also get the search bit wherever reading is allowed."
            ) {
                Self.permissions($0) == nil
                    ? "is not four octal digits such as \"0640\" that let the owner read and write" : nil
            },
            .integer(
                "lowSpace", \.lowSpace, in: 0...1_000_000_000,
                "Megabytes (10^6 bytes) of free space below which log, metrics, page and readiness warn; "
                    + "0 never does."),
            .integer(
                "criticalSpace", \.criticalSpace, in: 0...1_000_000_000,
                "Megabytes of free space below which new calls get 503; running calls continue. 0 never does."),
            .number(
                "pauseGuard", \.pauseGuard, in: 0...60,
                "Seconds for which a call stays masked after its recording resumed, to mask late data of the pause too."
            ),
            .choice(
                "unwantedCalls", \.unwantedCalls,
                "A call that no sink's `when` includes is only counted and goes on without a recording, or is refused: "
                    + "Callreel closes its connection."),
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
                "The schema of this file. Editors use it to complete keys and mark mistakes; Callreel ignores it."
            ),
            .section("listen", \.listen, "The server's address, port and connections."),
            .string(
                "publicURL", \.publicURL, type: "http or https URL",
                "The address at which carriers reach the server; null uses the listening address."
            ) {
                PublicURL($0) == nil ? "is not an http or https URL such as \"https://calls.example.com\"" : nil
            },
            .section("recordings", \.recordings, "The directory and names of recordings."),
            .section("access", \.access, "Access to the page, its API and recordings."),
            .section("limits", \.limits, "Limits for each client and for all clients together."),
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
    /// The deliveries of every finished recording.
    package var deliveries: [DeliveryPlan]
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
            value, at: .root, alongside: ["sinks", "carriers", "deliveries"] + plugins.carriers.types.map(\.type),
            problems: &problems
        )
        listen = sections.listen
        publicURL = sections.publicURL.flatMap(PublicURL.init)
        recordings = sections.recordings
        if recordings.criticalSpace > recordings.lowSpace {
            let reason =
                "\(recordings.criticalSpace) is more than lowSpace, \(recordings.lowSpace): set it to at most lowSpace"
            problems.append(.init(at: ConfigurationPath.root.key("recordings").key("criticalSpace"), reason))
        }
        access = sections.access
        limits = sections.limits
        sinks = []
        carriers = []
        deliveries = []
        let place = ConfigurationPath.root.key("sinks")
        guard case .object(let members) = value else { return }
        carriers = CarrierPlan.read(members, registry: plugins.carriers, problems: &problems)
        if let list = members["deliveries"] {
            deliveries = DeliveryPlan.read(
                list, at: .root.key("deliveries"), registry: plugins.deliveries, problems: &problems)
        }
        guard let list = members["sinks"] else {
            problems.append(.init(at: place, "is missing; name at least one sink, such as [{\"type\": \"wav\"}]"))
            return
        }
        defer { problems += carrierProblems() }
        let soFar = problems.count
        sinks = SinkPlan.read(
            list, at: place, registry: registry, filters: plugins.filters,
            formats: carriers.compactMap(\.carrier.format),
            home: recordings.directory,
            problems: &problems)
        if sinks.isEmpty, problems.count == soFar {
            problems.append(
                .init(
                    at: place,
                    "has no enabled sink, so Callreel could not record; name at least one, such as {\"type\": \"wav\"}")
            )
        }
    }

    /// Returns a problem for each entry whose condition names a carrier that this configuration does not have.
    private func carrierProblems() -> [ConfigurationProblem] {
        let known = Set(carriers.map(\.type)).union([Self.replayCarrier])
        let conditions =
            sinks.map { ($0.place, $0.envelope.when) } + deliveries.map { ($0.place, $0.envelope.when) }
        return conditions.flatMap { place, condition in
            (condition?.carriers.filter { !known.contains($0.lowercased()) }.sorted() ?? []).map { name in
                let near = name.nearest(in: known.sorted()).map { "; did you mean \"\($0)\"?" } ?? ""
                let list = known.sorted().joined(separator: ", ")
                return .init(
                    at: place.key("when").key("carrier"),
                    "no carrier of this configuration is a \"\(name)\"; known are \(list)\(near)")
            }
        }
    }

    /// The carrier of calls that come from a file.
    package static let replayCarrier = "replay"
}
