import CallreelCore
import Foundation
import TestSupport
import Testing

@Suite struct ConfigurationTests {
    private static let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func file(_ path: String) throws -> String {
        try String(contentsOf: Self.project.appendingPathComponent(path), encoding: .utf8)
    }

    private func callreel(_ arguments: String...) async throws -> Program.Result {
        try await Program.callreel.run(arguments)
    }

    /// Returns every key of an object and its inner objects, as paths such as `listen.port` and `flac.level`.
    private func keys(_ value: JSONValue, _ path: String = "") -> Set<String> {
        guard case .object(let members) = value else { return [] }
        return members.reduce(into: []) { found, member in
            let name = path.isEmpty ? member.key : "\(path).\(member.key)"
            if case .object = member.value {
                found.formUnion(keys(member.value, name))
            } else if ["sinks", "carriers"].contains(member.key), case .array(let entries) = member.value {
                for entry in entries { found.formUnion(keys(entry, entry["type"]?.string ?? "?")) }
            } else if member.key == "deliveries", case .array(let entries) = member.value {
                // A delivery and a sink may have one name.
                for entry in entries { found.formUnion(keys(entry, "deliveries.\(entry["type"]?.string ?? "?")")) }
            } else {
                found.insert(name)
            }
        }
    }

    /// The sinks of the default configuration; there are more.
    private static let standardSinks = ["wav", "flac", "raw"]

    @Test func `the default configuration is right, lists every key, and holds the defaults`() async throws {
        let path = Self.project.appendingPathComponent("Config/callreel.json").path
        let check = try await callreel("config", "check", "--config", path)
        #expect(check.status == 0, "\(check.errors)")
        let shipped = try JSONValue(parsing: Data(file("Config/callreel.json").utf8))
        let example = try JSONValue(parsing: try await callreel("config", "example").output)
        let others = ["exec.", "sndfile.", "pcm.", "deliveries."]
        #expect(keys(shipped) == keys(example).filter { key in !others.contains { key.hasPrefix($0) } })
        for section in ["listen", "publicURL", "recordings", "access", "limits"] {
            #expect(shipped[section] == example[section])
        }
        for name in Self.standardSinks {
            #expect(entry(name, of: "sinks", shipped) == entry(name, of: "sinks", example))
        }
        #expect(entry("vonage", of: "carriers", shipped) == entry("vonage", of: "carriers", example))
    }

    @Test func `a check looks for programs, and refuses file systems that keep no files`() async throws {
        let directory = TemporaryDirectory(), file = directory.path + "/odd.json"
        try """
        {"recordings": {"directory": "\(directory.path)/recordings", "mustExist": true},
         "sinks": [{"type": "exec", "command": ["no-such-program"]}, {"type": "wav", "directory": "/proc/calls"}]}
        """.write(toFile: file, atomically: true, encoding: .utf8)
        let check = try await callreel("config", "check", file)
        #expect(check.status == 1)
        #expect(check.errors.contains("sinks[0]: \"no-such-program\" is not an executable file"), "\(check.errors)")
        #expect(check.errors.contains("stores no files (proc)"), "\(check.errors)")
        #expect(check.errors.contains("Not ready on this machine: recordings.directory"), "\(check.errors)")
    }

    @Test func `the example with every sink is right`() async throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/example.json"
        try await callreel("config", "example").output.write(to: URL(fileURLWithPath: path))
        let check = try await callreel("config", "check", "--config", path)
        #expect(check.status == 0, "\(check.errors)")
        #expect(check.text.contains("is valid: exec (exec), flac (flac), raw (raw), sndfile (sndfile), wav (wav)"))
    }

    private func entry(_ type: String, of list: String, _ configuration: JSONValue) -> JSONValue? {
        guard case .array(let entries) = configuration[list] else { return nil }
        return entries.first { $0["type"]?.string == type }
    }

    @Test func `the documentation has one line for each key`() async throws {
        let example = try JSONValue(parsing: try await callreel("config", "example").output)
        let reference = try file("Docs/Reference/Configuration.md")
        let documented = reference.split(separator: "\n").compactMap { line -> String? in
            guard line.hasPrefix("| `") else { return nil }
            return line.split(separator: "`")[1].description
        }
        #expect(Set(documented).count == documented.count)
        // Keys common to every sink are documented once, under `sinks`.
        let envelope: Set = [
            "type", "name", "enabled", "directory", "fallback", "mustExist", "required", "onError", "buffer",
            "stallLimit", "holdLimit",
            "checkpoint", "sync", "finishLimit", "partLength", "partSize", "retry", "sampleRate", "channels", "onPause",
            "when", "filters",
        ]
        // Likewise those common to every carrier.
        let carriers = Set(try await callreel("carriers").text.split(separator: "\n").map { $0.prefix { $0 != " " } })
        let carrierEnvelope: Set = [
            "type", "name", "enabled", "path", "webhooks", "requireToken", "tokenKey", "tokenLifetime",
        ]
        let deliveryEnvelope: Set = ["type", "name", "enabled", "parallel", "deadline", "retryLimit", "when"]
        let types = Set(try await callreel("sinks").text.split(separator: "\n").map { $0.prefix { $0 != " " } })
        let expected = keys(example).map { path -> String in
            let parts = path.split(separator: ".")
            if parts[0] == "deliveries", parts.count == 3, deliveryEnvelope.contains(String(parts[2])) {
                return "deliveries[].\(parts[2])"
            }
            if parts.count == 2, carriers.contains(parts[0]), carrierEnvelope.contains(String(parts[1])) {
                return "carriers[].\(parts[1])"
            }
            return parts.count == 2 && envelope.contains(String(parts[1])) && types.contains(parts[0])
                ? "sinks[].\(parts[1])" : path
        }
        // The example has no filters.
        let filters = try JSONValue(parsing: try await callreel("filters", "--json").output)
        guard case .array(let filterTypes) = filters else { throw NeverHappened(description: "a list of filters") }
        var filterKeys = ["filters[].type"]
        for type in filterTypes.compactMap({ $0["type"]?.string }) {
            let schema = try JSONValue(parsing: try await callreel("filters", "describe", type, "--json").output)
            guard case .object(let properties) = schema["properties"] else {
                throw NeverHappened(description: "the keys of \(type)")
            }
            filterKeys += properties.keys.filter { $0 != "type" }.map { "filters.\(type).\($0)" }
        }
        #expect(filterKeys.count > 5)
        #expect(Set(documented).symmetricDifference(expected + filterKeys).sorted() == [])
    }

    @Test func `all mistakes are found at once, each with its path and what would be right`() async throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/bad.json"
        try """
        {"listen": {"port": "80a0", "prot": 1}, "publicURL": "ftp://x", "recordings": {"name": "{form}-{id}", "mode": "0999"},
         "sinks": [{"type": "flax"}, {"type": "flac", "level": 12, "levl": 1}, {"type": "wav", "encoding": "pcm17", "buffer": -1}, {"tpe": "x"}],
         "vonage": {"sampleRate": 44100, "path": "cable", "talk": "${CALLREEL_UNSET}"}}
        """.write(toFile: path, atomically: true, encoding: .utf8)
        let result = try await callreel("config", "check", "--config", path)
        #expect(result.status == 1)
        for line in [
            #"listen.port: "80a0" is not a whole number in 0...65535"#,
            #"listen.prot: unknown key; did you mean "port"?"#,
            #"publicURL: "ftp://x" is not an http or https URL"#, "did you mean {from}?", "recordings.mode: \"0999\"",
            #"sinks[0].type: "flax" is not a known type; known types are exec, flac, raw, sndfile, wav; did you mean "flac"?"#,
            "sinks[1].level: 12 is outside 0...8", #"sinks[1].levl: unknown key; did you mean "level"?"#,
            #"sinks[2].encoding: "pcm17" is not one of pcm16, pcm24, float, ulaw, alaw"#,
            "sinks[2].buffer: -1 is outside 0.5...600.0",
            "sinks[3].type: is missing", "vonage.sampleRate: 44100 is not 8000, 16000 or 24000",
            #"vonage.path: "cable""#,
            "vonage.talk: the environment variable CALLREEL_UNSET is not set", "14 mistakes",
        ] { #expect(result.errors.contains(line), "\(line)\n\(result.errors)") }
    }

    @Test func `directories that cannot be are mistakes, and nothing is made of those that can`() async throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/c.json", file = directory.path + "/file"
        try "".write(toFile: file, atomically: true, encoding: .utf8)
        try """
        {"recordings": {"directory": "\(file)"},
         "sinks": [{"type": "raw", "directory": "\(file)/a"}, {"type": "wav", "directory": "\(directory.path)/new", "fallback": "\(file)"}]}
        """.write(toFile: path, atomically: true, encoding: .utf8)
        let result = try await callreel("config", "check", "--config", path)
        #expect(result.status == 1 && result.errors.contains("3 mistakes"), "\(result.errors)")
        for line in [
            "recordings.directory: \"\(file)\" is not a directory",
            "sinks[0].directory: \"\(file)/a\" cannot be created: \(file) is not a directory",
            "sinks[1].fallback: \"\(file)\" is not a directory",
        ] { #expect(result.errors.contains(line), "\(result.errors)") }
        #expect(directory.files().sorted() == ["c.json", "file"])
    }

    @Test func `secrets come from the environment`() async throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/c.json"
        try #"{"recordings": {"directory": "${CALLREEL_TEST_PLACE}/x"}, "sinks": [{"type": "raw"}]}"#.write(
            toFile: path, atomically: true, encoding: .utf8)
        let result = try await Program.callreel.run(
            ["config", "check", "--config", path], environment: ["CALLREEL_TEST_PLACE": "/somewhere"])
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func `the sinks and their options can be looked up`() async throws {
        #expect(
            try await callreel("sinks").text.split(separator: "\n").map { $0.prefix { $0 != " " } } == [
                "exec", "flac", "raw", "sndfile", "wav",
            ])
        let flac = try await callreel("sinks", "describe", "flac").text
        for word in ["level", "0...8", "default 5", "blockSize", "verify", "padding", "stallLimit"] {
            #expect(flac.contains(word))
        }
        for (type, words) in [
            ("exec", [#"required, such as ["wc","-c"]"#, "{output}"]),
            ("sndfile", ["one of opus, vorbis, mp3", "number, 0.0...1.0, or null"]),
        ] {
            let text = try await callreel("sinks", "describe", type).text
            for word in words { #expect(text.contains(word), "\(text)") }
        }
        let unknown = try await callreel("sinks", "describe", "flax")
        #expect(unknown.status == 64 && unknown.errors.contains("did you mean \"flac\"?"))
        let schema = try JSONValue(parsing: try await callreel("config", "schema").output)
        #expect(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema")
        #expect(schema["properties"]?["listen"]?["properties"]?["port"]?["maximum"] == 65535)
    }
}
