import CallreelCore
import Foundation
import TestSupport
import Testing

@Suite struct ServeTests {
    private func serve(_ directory: TemporaryDirectory, _ configuration: String, _ arguments: String...) async throws
        -> Program.Result
    {
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
        // The server tries the sinks in their directory, and leaves no file there.
        _ = try await eventually("an empty directory") { server.directory.files() == ["callreel.json"] ? true : nil }
    }

    @Test func `a wrong configuration, none at all, or one without a sink stops the start`() async throws {
        let directory = TemporaryDirectory()
        for (configuration, names) in [
            (
                #"{"sinks": [{"type": "wav", "levl": 1}], "lisen": {}}"#,
                ["sinks[0].levl", "lisen: unknown key; did you mean \"listen\"?"]
            ),
            (#"{"sinks": []}"#, ["sinks", "Callreel could not record"]),
            (#"{"sinks": [{"type": "wav", "enabled": false}]}"#, ["no enabled sink"]),
            ("{}", ["sinks: is missing"]), ("{\n  \"sinks\": [,]\n}", ["not JSON", "line 2"]),
            ("[]", ["is not an object"]),
        ] {
            let result = try await serve(directory, configuration, "--port", "0")
            #expect(result.status == 1)
            for name in names { #expect(result.errors.contains(name), "\(configuration): \(result.errors)") }
        }
        let none = try await Program.callreel.run(["serve", "--config", "nowhere.json"], in: directory.path)
        #expect(
            none.status == 1 && none.errors.contains("nowhere.json: there is no such file; name another with --config"),
            "\(none.errors)")
    }

    @Test func `a path of the program's own is not given to calls`() async throws {
        let directory = TemporaryDirectory()
        for path in [
            "/page.js", "/page.css", "/webhooks/x", "/recordings", "/api/calls", "/cable/", "//x", "/a/../b", "/",
        ] {
            let configuration = #"{"vonage": {"path": "\#(path)"}, "sinks": [{"type": "raw"}]}"#
            try configuration.write(toFile: directory.path + "/c.json", atomically: true, encoding: .utf8)
            let result = try await Program.callreel.run(["config", "check", "--config", "c.json"], in: directory.path)
            #expect(
                result.status == 1 && result.errors.contains("vonage.path: \"\(path)\""), "\(path): \(result.errors)")
        }
    }

    @Test func `a server that can take no calls says so at its start, and what is wrong`() async throws {
        let directory = TemporaryDirectory(), archive = directory.path + "/archive"
        let configuration = #"""
            {"recordings": {"directory": "recordings"},
             "sinks": [{"type": "wav", "directory": "\#(archive)", "mustExist": true, "required": true}]}
            """#
        let server = try await RunningServer(configuration: configuration, in: directory)
        defer { server.program.signal(SIGKILL) }
        let said = server.program.text
        #expect(said.hasPrefix("Callreel takes no calls yet: \(server.url)/\n"), "\(said)")
        let reason = "\(archive) is missing but must exist; is its disk mounted?"
        #expect(said.contains("Reason: ") && said.contains(reason) && !said.contains("is ready"), "\(said)")
        let checked = try await Program.callreel.run(["config", "check", "callreel.json"], in: directory.path)
        #expect(checked.errors.contains("\"\(archive)\" is missing but must exist; is its disk mounted?"))
    }

    @Test func `a second signal ends calls that a first one lets go on`() async throws {
        let server = try await RunningServer()
        let call = try Program.callreel.start(
            ["call", try await Speech.long(60, in: server.directory), "--to", server.url + "/webhooks/answer"])
        _ = try await eventually("a call that is recorded") {
            server.program.errors.contains("call started") ? true : nil
        }
        server.program.signal(SIGTERM)
        _ = try await eventually("the server's stopping") { server.program.errors.contains("stopping") ? true : nil }
        // The server refuses new calls and reports that, and the running call goes on.
        let refused = try await Program.callreel.run([
            "call", Speech.path, "--to", server.url + "/webhooks/answer", "--speed", "max",
        ])
        #expect(refused.status == 1 && refused.errors.contains("503"), "\(refused.errors)")
        let ready = try await Program("curl").output(["-s", "-w", "%{http_code}", server.url + "/readyz"])
        #expect(String(decoding: ready, as: UTF8.self).contains("\"draining\"") && ready.suffix(3) == Data("503".utf8))
        let alive = try await Program("curl").run(["-sf", server.url + "/healthz"])
        #expect(alive.status == 0 && alive.text == "alive\n")
        #expect(!server.program.errors.contains("call recorded"))
        server.program.signal(SIGINT)
        #expect(try await server.program.result().status == 0)
        #expect(try await call.result().errors.contains("1001"))
        let recording = try await server.finished(1)[0]
        #expect(recording.endReason == "the server was shut down at once")
        #expect(recording.sinks.allSatisfy { $0.state == .complete && $0.written == recording.framesReceived })
    }

    @Test func `a second signal is obeyed though a program hangs, and the call is recovered`() async throws {
        let mark = "callreel-hung-\(UUID().uuidString)"
        let hung =
            #"{"type": "exec", "name": "hung", "command": ["sh", "-c", "trap '' TERM; cat > /dev/null; while :; do sleep 1; done", "\#(mark)"], "deadline": 3600, "finishLimit": 3600}"#
        let server = try await RunningServer(configuration: #"{"sinks": [{"type": "raw"}, \#(hung)]}"#)
        let call = try Program.callreel.start(
            ["call", try await Speech.long(60, in: server.directory), "--to", server.url + "/webhooks/answer"])
        _ = try await eventually("a call with audio") {
            server.directory.files(in: "recordings/.partial").contains { $0.hasSuffix(".raw") } ? true : nil
        }
        server.program.signal(SIGTERM)
        _ = try await eventually("the server's stopping") { server.program.errors.contains("stopping") ? true : nil }
        server.program.signal(SIGTERM)
        // If the server waited for the program, this would take an hour.
        #expect(try await server.program.result().status == 1)
        #expect(server.program.errors.contains("stopped with unfinished recordings"))
        #expect(try await call.result().status == 1)
        _ = try await eventually("the program's end") {
            try await Program("pgrep").run(["-f", mark]).status == 1 ? true : nil
        }
        let repair = try await Program.callreel.run(["repair", server.directory.path + "/recordings"])
        #expect(repair.text.contains(" 0 problems"), "\(repair.text) \(repair.errors)")
        let recording = try await server.finished(1)[0]
        let raw = try Data(
            contentsOf: URL(fileURLWithPath: server.directory.path + "/recordings/" + recording.name + ".raw"))
        let speech = try await Speech.pcm()
        #expect(raw.count > 0 && raw == (0..<60).reduce(into: Data()) { pcm, _ in pcm += speech }.prefix(raw.count))
    }

    @Test func `a connection that is reset is told of in words`() async throws {
        let server = try await RunningServer(configuration: RunningServer.trusting)
        let port = try #require(URL(string: server.url)?.port)
        _ = try await Judge.python(
            """
            import socket, struct, sys, os, base64, json
            s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            s.sendall(b"GET /cable HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Key: "
                      + base64.b64encode(os.urandom(16)) + b"\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n")
            assert b"101" in s.recv(4096)
            hello = json.dumps({"event": "websocket:connected", "content-type": "audio/l16;rate=16000"}).encode()
            s.sendall(bytes([0x81, 0x80 | len(hello)]) + bytes(4) + hello)
            s.sendall(bytes([0x82, 0xFE]) + struct.pack(">H", 640) + bytes(4) + bytes(640))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
            """, ["\(port)"])
        let recording = try await server.finished(1)[0]
        #expect(
            recording.endReason == "the connection failed: Connection reset by peer"
                || recording.endReason == "the connection was lost")
    }

    @Test func `a first signal lets a running call come to its own end`() async throws {
        let server = try await RunningServer()
        let call = try Program.callreel.start(["call", Speech.path, "--to", server.url + "/webhooks/answer"])
        _ = try await eventually("a call that is recorded") {
            server.program.errors.contains("call started") ? true : nil
        }
        server.program.signal(SIGTERM)
        #expect(try await server.program.result().status == 0)
        #expect(try await call.result().text.contains("11.0 s of audio, closed with 1000"))
        let recording = try await server.finished(1)[0]
        #expect(recording.endReason == "the carrier closed the call" && recording.framesReceived == 176_000)
        #expect(recording.sinks.allSatisfy { $0.state == .complete && $0.written == 176_000 })
    }

    @Test func `a log of JSON has one object on each line, and one line for a call's start and one for its end`()
        async throws
    {
        let server = try await RunningServer("--log-format", "json")
        let name = "1\"}\n{\"level\": \"error\""
        for _ in 0..<2 {
            let call = ["call", Speech.path, "--speed", "max", "--from", name, "--to", server.url + "/webhooks/answer"]
            #expect(try await Program.callreel.run(call).status == 0)
        }
        let recordings = try await server.finished(2)
        server.program.signal(SIGTERM)
        let log = try await server.program.result().errors
        let lines = try log.split(separator: "\n").map { try JSONValue(parsing: Data($0.utf8)) }
        #expect(
            lines.allSatisfy {
                $0["time"]?.string != nil && $0["message"]?.string != nil && $0["level"]?.string != "error"
            }, "\(log)")
        for recording in recordings {
            let mine = lines.filter { $0["call.id"]?.string == recording.id.description }.compactMap {
                $0["message"]?.string
            }
            #expect(mine.sorted() == ["call recorded", "call started"])
        }
    }

    @Test func `what a caller says cannot begin a line of the log`() async throws {
        let server = try await RunningServer(configuration: RunningServer.trusting)
        let name = "1\n2026-11-22 error callreel: forged\u{1B}[31m\u{2028}"
        let result = try await Program.callreel.run([
            "call", Speech.path, "--speed", "max", "--from", name, "--to",
            server.url.replacingOccurrences(of: "http", with: "ws") + "/cable",
        ])
        #expect(result.status == 0, "\(result.errors)")
        let recording = try await server.finished(1)[0]
        #expect(recording.call.from == name)
        let log = server.program.errors
        #expect(log.contains("forged") && !log.contains("\u{1B}") && !log.contains("\u{2028}"))
        #expect(!log.split(separator: "\n").contains { $0.hasPrefix("2026-11-22 error") })
    }
}
