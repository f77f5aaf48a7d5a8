import CallreelCore
import Foundation
import TestSupport
import Testing

/// The schema of the configuration, tested with an independent validator and against Callreel's own reader.
@Suite struct SchemaTests {
    private static let project = URL(fileURLWithPath: Speech.fixture("../..")).standardizedFileURL.path

    private let directory = TemporaryDirectory()

    /// Returns the validator's errors in each of these texts, by the output of `config schema`.
    private func judge(_ texts: [String]) async throws -> [[String]] {
        let schema = directory.path + "/schema.json"
        try await Program.callreel.output(["config", "schema"]).write(to: URL(fileURLWithPath: schema))
        let files = texts.indices.map { directory.path + "/\($0).json" }
        for (file, text) in zip(files, texts) { try text.write(toFile: file, atomically: true, encoding: .utf8) }
        let output = try await Program("python3").output([Speech.fixture("schema_judge.py"), schema] + files)
        let verdicts = try JSONDecoder().decode([String: [String]].self, from: output)
        return try files.map { try #require(verdicts[$0]) }
    }

    private func check(_ text: String) async throws -> Program.Result {
        let file = directory.path + "/check.json"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return try await Program.callreel.run(["config", "check", "--config", file])
    }

    @Test func `what is right is right by the schema too`() async throws {
        let texts = [
            try String(contentsOfFile: Self.project + "/Config/callreel.json", encoding: .utf8),
            try await Program.callreel.run(["config", "example"]).text,
            #"{"sinks": [{"type": "raw"}]}"#,
            """
            {"$schema": "https://example.com/callreel.json", "sinks": [{"type": "flac", "level": 0}, {"type": "flac", "name": "b", "blockSize": 576}],
             "listen": {"tls": {"certificate": "a", "key": "b"}, "trustedProxies": ["10.0.0.0/8"]}, "access": {"password": "${PASSWORD}"}}
            """,
        ]
        for (text, mistakes) in zip(texts, try await judge(texts)) {
            #expect(mistakes == [], "\(text)")
            let checked = try await Program.callreel.run(
                ["config", "check", "--config", write(text)], environment: ["PASSWORD": "long enough for it"])
            #expect(checked.status == 0, "\(checked.errors)")
        }
    }

    private func write(_ text: String) throws -> String {
        let file = directory.path + "/right.json"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    /// Configurations with one mistake, and the words by which both the validator and `config check` name it.
    static let wrong = [
        ("[]", "[]"), ("{}", "sinks"), (#"{"sinks": {}}"#, "sinks"), (#"{"sinks": []}"#, "sinks"),
        (#"{"sinks": ["wav"]}"#, "sinks[0]"),
        (#"{"sinks": [{}]}"#, "type"), (#"{"sinks": [{"type": "flax"}]}"#, "sinks[0].type"),
        (#"{"sinks": [{"type": "raw"}, {"type": "flac", "level": 12}]}"#, "sinks[1].level"),
        (#"{"sinks": [{"type": "flac", "level": "5"}]}"#, "sinks[0].level"),
        (#"{"sinks": [{"type": "flac", "level": null}]}"#, "sinks[0].level"),
        (#"{"sinks": [{"type": "flac", "levl": 5}]}"#, "levl"), (#"{"sinks": [{"type": "wav", "level": 5}]}"#, "level"),
        (#"{"sinks": [{"type": "wav", "encoding": "pcm17"}]}"#, "sinks[0].encoding"),
        (#"{"sinks": [{"type": "raw", "buffer": -1}]}"#, "sinks[0].buffer"),
        (#"{"sinks": [{"type": "raw", "enabled": 1}]}"#, "sinks[0].enabled"),
        (#"{"$schema": 5, "sinks": [{"type": "raw"}]}"#, "$schema"),
        (#"{"lisen": {}, "sinks": [{"type": "raw"}]}"#, "lisen"),
        (#"{"listen": {"port": 65536}, "sinks": [{"type": "raw"}]}"#, "listen.port"),
        (#"{"listen": {"port": 80.5}, "sinks": [{"type": "raw"}]}"#, "listen.port"),
        (#"{"listen": {"prot": 80}, "sinks": [{"type": "raw"}]}"#, "prot"),
        (#"{"listen": {"tls": {"key": "k"}}, "sinks": [{"type": "raw"}]}"#, "certificate"),
        (#"{"listen": {"trustedProxies": "10.0.0.1"}, "sinks": [{"type": "raw"}]}"#, "listen.trustedProxies"),
        (#"{"recordings": null, "sinks": [{"type": "raw"}]}"#, "recordings"),
        (#"{"vonage": {"sampleRate": 44100}, "sinks": [{"type": "raw"}]}"#, "vonage.sampleRate"),
        (#"{"access": {"password": 12345678}, "sinks": [{"type": "raw"}]}"#, "access.password"),
    ]

    @Test func `what is wrong is refused by the schema and by the program, in the same place`() async throws {
        let verdicts = try await judge(Self.wrong.map(\.0))
        for ((text, name), mistakes) in zip(Self.wrong, verdicts) {
            #expect(mistakes.count == 1 && mistakes.contains { $0.contains(name) }, "\(text): \(mistakes)")
            let checked = try await check(text)
            #expect(
                checked.status == 1 && checked.errors.contains(name) && checked.errors.contains("1 mistake\n"),
                "\(text): \(checked.errors)")
        }
    }

    @Test func `the schema beside the default configuration is the one that the program prints`() async throws {
        let shipped = try Data(contentsOf: URL(fileURLWithPath: Self.project + "/Config/callreel.schema.json"))
        let printed = try await Program.callreel.output(["config", "schema"])
        #expect(shipped == printed, "callreel config schema > Config/callreel.schema.json brings it up to date")
    }

    @Test func `a sink's own schema stands for itself and holds every option with its meaning`() async throws {
        let schema = try JSONValue(parsing: try await Program.callreel.output(["sinks", "describe", "flac", "--json"]))
        let level = try #require(schema["properties"]?["level"])
        #expect(level["minimum"] == 0 && level["maximum"] == 8 && level["default"] == 5)
        #expect(level["description"]?.string?.isEmpty == false)
        let example = try await Program.callreel.run(["sinks", "describe", "flac"]).text
        let entry = try #require(
            example.split(separator: "\n").last { $0.hasPrefix("Example: ") }?.dropFirst("Example: ".count))
        let text = #"{"sinks": [\#(entry)]}"#
        #expect(try await judge([text]) == [[]])
        #expect(try await check(text).status == 0)
    }
}
