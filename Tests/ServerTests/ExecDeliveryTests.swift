import CallreelCore
import CallreelDeliveries
import Foundation
import TestSupport
import Testing

/// Programs that take finished recordings on.
@Suite struct ExecDeliveryTests {
    private let directory = TemporaryDirectory()

    /// Writes a shell script, and returns the keys of an entry that runs it.
    private func script(_ text: String, _ keys: String = "") throws -> String {
        let path = directory.path + "/deliver.sh"
        try "#!/bin/sh\ncd '\(directory.path)'\n\(text)\n".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return #", "deliveries": [{"type": "exec", "command": ["\#(path)", "an argument"]\#(keys)}]"#
    }

    /// Reads the manifest of the one recording, once its delivery has the state.
    private func entry(_ server: TestServer, _ state: DeliveryEntry.State = .delivered) async throws -> DeliveryEntry {
        try await eventually("a recording that is \(state)") {
            try await server.finished()[0].deliveries?.first { $0.state == state }
        }
    }

    @Test func `a program gets the path of the manifest, and its output is in the manifest`() async throws {
        let more = try script("echo \"$1\"; cat > input; cp \"$2\" manifest.json; env > environment")
        try await TestServer.run(more: more) { server in
            _ = try await PythonCall(server.cable, pcm: Speech.path).place()
            let entry = try await entry(server), recording = try await server.finished()[0]
            #expect(entry.attempts == 1 && entry.details?["stdout"] == "an argument\n")
            let taken = try Recording(
                json: Data(contentsOf: URL(fileURLWithPath: directory.path + "/manifest.json")))
            #expect(taken.id == recording.id && taken.sinks.map(\.files) == recording.sinks.map(\.files))
            #expect(taken.deliveries?.map(\.state) == [.pending])
            #expect(FileManager.default.contents(atPath: directory.path + "/input") == Data())
            let variables = try String(contentsOfFile: directory.path + "/environment", encoding: .utf8)
            #expect(variables.contains("PATH=") && !variables.contains("SWIFT"))
            let found = String(
                decoding: try await Program("curl").output(["-s", server.http + "/metrics"]), as: UTF8.self)
            #expect(found.contains(#"callreel_deliveries_total{delivery="exec",type="exec"} 1"#), "\(found)")
        }
    }

    @Test func `a program that fails is run again, and its words are shown`() async throws {
        let more = try script("[ -e second ] && exit 0; touch second; echo 'no \u{1B}[1mroom' >&2; exit 3")
        let book = LogBook()
        try await TestServer.run(more: more, logger: book.logger) { server in
            _ = try await PythonCall(server.cable, pcm: Speech.path).place()
            #expect(try await entry(server).attempts == 2)
        }
        let line = try #require(book.lines.first { $0.hasPrefix("delivery failed") })
        #expect(line.contains("deliver.sh\" ended with status 3; its output: no [1mroom"), "\(line)")
    }

    @Test func `a program that takes too long is ended, with all that it started`() async throws {
        let mark = "callreel-delivery-\(UUID().uuidString)"
        let more = try script(
            "[ -e second ] && exit 0; touch second; sh -c 'sleep 600; echo \(mark)'", #", "deadline": 1"#)
        try await TestServer.run(more: more) { server in
            _ = try await PythonCall(server.cable, pcm: Speech.path).place()
            #expect(try await entry(server).attempts == 2)
            _ = try await eventually("the end of the first one") {
                try await Program("pgrep").run(["-f", mark]).status == 1 ? true : nil
            }
        }
    }

    @Test func `a program that still runs holds up no end of the server, and is ended`() async throws {
        let mark = "callreel-delivery-\(UUID().uuidString)"
        let more = try script("touch began; sh -c 'sleep 600; echo \(mark)'")
        let begin = ContinuousClock.now
        try await TestServer.run(more: more) { server in
            _ = try await PythonCall(server.cable, pcm: Speech.path).place()
            _ = try await eventually("a program that runs") {
                FileManager.default.fileExists(atPath: directory.path + "/began") ? true : nil
            }
        }
        #expect(ContinuousClock.now - begin < .seconds(300), "it waited for the program")
        _ = try await eventually("the program's end") {
            try await Program("pgrep").run(["-f", mark]).status == 1 ? true : nil
        }
    }
}
