import CallreelCore
import Foundation
import TestSupport
import Testing

@Suite struct CallAddressTests {
    @Test(arguments: ["::1", "::", "localhost"])
    func `a call reaches a server by the address that it prints, whatever it listens on`(host: String) async throws {
        let server = try await RunningServer(
            "--host", host,
            configuration: String(RunningServer.configuration.dropLast()) + #", "access": {"allowOpen": true}}"#)
        let page = host == "localhost" ? "http://localhost:" : "http://[::1]:"
        #expect(server.url.hasPrefix(page), "\(server.url)")
        let result = try await Program.callreel.run([
            "call", Speech.path, "--speed", "max", "--to", server.url + "/webhooks/answer",
        ])
        #expect(result.status == 0, "\(result.errors)")
        #expect(try await server.finished(1)[0].framesReceived == 176_000)
    }

    @Test(arguments: ["http://127.0.0.1:99999/x", "ws://127.0.0.1:0/cable", "https://localhost:70000"])
    func `a port that there is not is named`(address: String) async throws {
        let result = try await Program.callreel.run(["call", Speech.path, "--to", address])
        #expect(result.status == 64 && result.errors.contains("is not in 1...65535"), "\(result.errors)")
    }

    /// Starts a server of another kind, with one answer to every request.
    private func answering(_ code: String) async throws -> (server: RunningProgram, port: String) {
        let server = try Program("python3").start(["-u", "-c", code])
        return (server, try await eventually("its port") { server.text.split(separator: "\n").first.map(String.init) })
    }

    @Test func `an answer webhook that sends elsewhere is not followed`() async throws {
        let code = """
            import http.server
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    self.send_response(302); self.send_header("Location", "http://127.0.0.1:99999/"); self.end_headers()
            server = http.server.HTTPServer(("127.0.0.1", 0), Handler); print(server.server_port); server.serve_forever()
            """
        let (server, port) = try await answering(code)
        defer { server.signal(SIGKILL) }
        let result = try await Program.callreel.run([
            "call", Speech.path, "--to", "http://127.0.0.1:\(port)/webhooks/answer",
        ])
        #expect(result.status == 1 && result.errors.contains("302"), "\(result.errors)")
    }

    @Test func `a call goes straight to a WebSocket with an IPv6 address`() async throws {
        let server = try await RunningServer("--host", "::1", configuration: RunningServer.trusting)
        let cable = server.url.replacingOccurrences(of: "http", with: "ws") + "/cable"
        let result = try await Program.callreel.run(["call", Speech.path, "--speed", "max", "--to", cable])
        #expect(result.status == 0 && cable.hasPrefix("ws://[::1]:"), "\(result.errors)")
        _ = try await server.finished(1)
    }

    @Test func `the command that the server prints places a call from anywhere, without a file`() async throws {
        let server = try await RunningServer()
        let line = try #require(
            server.program.text.split(separator: "\n").first { $0.hasPrefix("Place a test call: ") })
        let elsewhere = TemporaryDirectory()
        let command = String(line.dropFirst("Place a test call: ".count))
        let result = try await Program("sh").run(["-c", command + " --speed max"], in: elsewhere.path)
        #expect(result.status == 0, "\(command) \(result.errors)")
        let recording = try await server.finished(1)[0]
        #expect(recording.framesReceived == 64000)
        // A scale of eight notes: in half a second each crosses zero once for each hertz.
        let code = """
            import sys, wave, array
            samples = array.array("h", wave.open(sys.argv[1]).readframes(64000))
            notes = [[s for s in samples[n * 8000:(n + 1) * 8000] if s] for n in range(8)]
            print(" ".join(str(sum((a < 0) != (b < 0) for a, b in zip(note, note[1:]))) for note in notes))
            """
        let heard = String(decoding: try await Judge.python(code, [server.paths(recording)[0]]), as: UTF8.self)
            .split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        #expect(
            zip(heard, [262, 294, 330, 349, 392, 440, 494, 523]).allSatisfy { abs($0 - $1) <= 4 } && heard.count == 8,
            "\(heard)")
    }
}
