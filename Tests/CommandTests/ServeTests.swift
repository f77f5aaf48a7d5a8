import Foundation
import TestSupport
import Testing

@Suite struct ServeTests {
    private func serve(_ directory: TemporaryDirectory, _ configuration: String, _ arguments: String...) async throws -> Program.Result {
        try configuration.write(toFile: directory.path + "/callreel.json", atomically: true, encoding: .utf8)
        return try await Program.callreel.run(["serve", "--config", "callreel.json"] + arguments, in: directory.path)
    }

    @Test func `a port in use stops the start with its number`() async throws {
        let server = try await RunningServer()
        let port = try #require(URL(string: server.url)?.port)
        let result = try await serve(TemporaryDirectory(), RunningServer.configuration, "--port", "\(port)")
        #expect(result.status == 1)
        #expect(result.errors.contains("port \(port)") && result.errors.contains("in use"), "\(result.errors)")
        #expect(!result.text.contains("ready"))
    }

    @Test func `a place where nothing can be recorded stops the start with its path`() async throws {
        let directory = TemporaryDirectory()
        try "a file".write(toFile: directory.path + "/taken", atomically: true, encoding: .utf8)
        for place in ["taken", "taken/below", "/proc/callreel"] {
            let configuration = #"{"recordings": {"directory": "\#(place)"}, "sinks": [{"type": "raw"}]}"#
            let result = try await serve(directory, configuration, "--port", "0")
            #expect(result.status == 1)
            #expect(result.errors.contains("\"\(place)\""), "\(result.errors)")
        }
    }

    @Test func `a missing directory is made`() async throws {
        let server = try await RunningServer()
        let attributes = try FileManager.default.attributesOfItem(atPath: server.directory.path + "/recordings")
        #expect(attributes[.type] as? FileAttributeType == .typeDirectory)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o750)
        #expect(server.directory.files() == ["callreel.json"])
    }

    @Test func `a wrong configuration, none at all, or one without a sink stops the start`() async throws {
        let directory = TemporaryDirectory()
        for (configuration, names) in [
            (#"{"sinks": [{"type": "wav", "levl": 1}], "lisen": {}}"#, ["sinks[0].levl", "lisen: unknown key; did you mean \"listen\"?"]),
            (#"{"sinks": []}"#, ["sinks", "nothing would be recorded"]), (#"{"sinks": [{"type": "wav", "enabled": false}]}"#, ["no enabled sink"]),
            ("{}", ["sinks: is missing"]), ("{\n  \"sinks\": [,]\n}", ["not JSON", "line 2"]), ("[]", ["is not an object"]),
        ] {
            let result = try await serve(directory, configuration, "--port", "0")
            #expect(result.status == 1)
            for name in names { #expect(result.errors.contains(name), "\(configuration): \(result.errors)") }
        }
        let none = try await Program.callreel.run(["serve", "--config", "nowhere.json"], in: directory.path)
        #expect(none.status == 1 && none.errors.contains("nowhere.json") && none.errors.contains("no such file"))
    }
}
