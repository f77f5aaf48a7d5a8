import CallreelCore
import CallreelServer
import Foundation
import TestSupport
import Testing

@Suite struct RefusalTests {
    /// Sends a request with curl, and returns status, headers and body unchanged.
    private func curl(_ arguments: String...) async throws -> String {
        try await Program("curl").run(["-s", "-i", "--max-time", "20"] + arguments).text
    }

    private static let upgrade = [
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]

    private func ask(_ url: String, method: String = "GET", without: String? = nil, with extra: [String] = [])
        async throws -> String
    {
        let headers = Self.upgrade.filter { without == nil || !$0.hasPrefix(without ?? "") } + extra
        return try await Program("curl").run(
            ["-s", "-i", "--http1.1", "--max-time", "20", "-X", method] + headers.flatMap { ["-H", $0] } + [url]
        ).text
    }

    @Test func `a request for a WebSocket that cannot have one is told why`() async throws {
        try await TestServer.run { server in
            let cable = server.http + "/cable"
            let wrongPath = try await ask(server.http + "/cables")
            #expect(
                wrongPath.hasPrefix("HTTP/1.1 404") && wrongPath.contains("/cables") && wrongPath.contains("/cable\n"))
            #expect(try await ask(server.http + "/cable/../..", with: []).hasPrefix("HTTP/1.1 404"))
            let post = try await ask(cable, method: "POST")
            #expect(post.hasPrefix("HTTP/1.1 405") && post.contains("allow: GET") && post.contains("POST"))
            let version = try await ask(cable, without: "Sec-WebSocket-Version", with: ["Sec-WebSocket-Version: 8"])
            #expect(
                version.hasPrefix("HTTP/1.1 426") && version.contains("sec-websocket-version: 13")
                    && version.contains("\"8\""))
            #expect(try await ask(cable, without: "Sec-WebSocket-Key").hasPrefix("HTTP/1.1 400"))
            #expect(
                try await ask(cable, without: "Sec-WebSocket-Key", with: ["Sec-WebSocket-Key: c2hvcnQ="]).hasPrefix(
                    "HTTP/1.1 400"))
            #expect(try await ask(cable, without: "Connection", with: ["Connection: close"]).hasPrefix("HTTP/1.1 400"))
            #expect(try await curl(cable).hasPrefix("HTTP/1.1 426"))
            // The server still takes a call after all of that.
            #expect(try await PythonCall(server.cable).place().map(\.code) == [1000])
        }
    }

    @Test(arguments: [
        (JSONValue.null, true, 1008, "before the handshake"), ("nonsense", false, 1007, "JSON"),
        (#"{"event":"websocket:connected"}"#, false, 1008, "content-type"),
        (#"{"content-type":"audio/l16;rate=44100"}"#, false, 1003, "44100"),
        (#"{"content-type":"audio/mpeg"}"#, false, 1003, "audio/mpeg"),
    ])
    func `a call that cannot be recorded is closed with a code and the value`(
        handshake: JSONValue, audio: Bool, code: Int, names: String
    )
        async throws
    {
        try await TestServer.run { server in
            var more: [String: JSONValue] = ["handshake": handshake, "wait": true]
            if audio { more["cuts"] = .array([640]) }
            let ending = try await PythonCall(server.cable, pcm: audio ? Speech.path : nil, more).place()[0]
            #expect(ending.code == code)
            #expect(ending.reason?.contains(names) == true, "\(ending.reason ?? "")")
            #expect(server.directory.files(in: "recordings").isEmpty)
        }
    }

    @Test func `a connection that says nothing is closed after a while`() async throws {
        try await TestServer.run { server in
            let ending = try await PythonCall(server.cable, ["handshake": .null, "wait": true]).place()[0]
            #expect(ending.code == 1008)
            #expect(ending.reason == "no handshake message within 10 seconds")
        }
    }

    @Test func `a request that is not HTTP is answered and closed`() async throws {
        try await TestServer.run { server in
            let answer = try await Judge.python(
                """
                import socket, sys
                s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=30)
                s.sendall(b'hello, is this a telephone?\\r\\n\\r\\n')
                while data := s.recv(4096): sys.stdout.buffer.write(data)
                """, [String(server.address.port)])
            #expect(String(decoding: answer, as: UTF8.self).hasPrefix("HTTP/1.1 400"))
        }
    }

    @Test func `what one caller does wrong harms no other call`() async throws {
        try await TestServer.run { server in
            let pcm = server.directory.path + "/speech.pcm"
            try await Speech.pcm().write(to: URL(fileURLWithPath: pcm))
            let good = try await PythonCall(server.cable, pcm: pcm, ["hold": true]).start()
            _ = try await PythonCall(server.cable, ["handshake": "nonsense", "wait": true]).place()
            _ = try await ask(server.http + "/nowhere")
            // Bytes that are not HTTP.
            _ = try await Judge.python(
                "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.sendall(bytes(range(256)) * 8); s.settimeout(5); s.recv(1)",
                [String(server.address.port)])
            good.signal(SIGKILL)
            let recording = try await server.finished()[0]
            #expect(recording.framesReceived == 176_000)
        }
    }

    @Test func `a directory that stops taking files closes the call and says so`() async throws {
        try await TestServer.run { server in
            let partial = server.recordings + "/.partial", aside = server.recordings + "/.aside"
            for _ in 0..<20 {
                // Root may write anywhere, so a file takes the directory's place instead.
                try FileManager.default.moveItem(atPath: partial, toPath: aside)
                try Data("not a directory".utf8).write(to: URL(fileURLWithPath: partial))
                let ending = try await PythonCall(server.cable, ["wait": true]).place()[0]
                guard ending.reason?.contains("HTTP 503") == true else {
                    #expect(ending.code == 1011)
                    #expect(ending.reason == "the call cannot be recorded as required")
                    return
                }
                // The server has noticed it before the call came, so the test tries again.
                try FileManager.default.removeItem(atPath: partial)
                try FileManager.default.moveItem(atPath: aside, toPath: partial)
                _ = try await eventually("readiness") {
                    try await Program("curl").run([
                        "-s", "-o", "/dev/null", "-w", "%{http_code}", server.http + "/readyz",
                    ]).text == "200" ? true : nil
                }
            }
            Issue.record("the server noticed it before each of 20 calls")
        }
    }

    @Test func `other upgrades that a client offers are not taken up, and its request is answered`() async throws {
        try await TestServer.run { server in
            let answer = try await Program("curl").run([
                "-s", "-i", "--http2", "--max-time", "20", server.http + "/webhooks/answer?uuid=u",
            ]).text
            #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("connect"))
            let body = try await Program("curl").run(
                ["-s", "-i", "--max-time", "20", "-X", "GET", "-d", "x"] + Self.upgrade.flatMap { ["-H", $0] } + [
                    server.http + "/cable"
                ]
            ).text
            #expect(body.hasPrefix("HTTP/1.1 400") && body.contains("no body"))
        }
    }

    @Test func `connections that say nothing, or never end their request, do not hold up the server's end`()
        async throws
    {
        let idle = try await TestServer.run { server in
            let program = try Program("python3").start([
                "-c",
                """
                import socket, sys, time
                port = int(sys.argv[1])
                all = [socket.create_connection(('127.0.0.1', port), timeout=60) for _ in range(4)]
                all[1].sendall(b'GET / HTTP/1.1\\r\\nHos')
                all[2].sendall(b'POST /webhooks/event HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 100\\r\\n\\r\\n{')
                all[3].sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
                time.sleep(0.5)
                print('ready', flush=True)
                for s in all:
                    while s.recv(65536): pass
                print('closed', flush=True)
                """, String(server.address.port),
            ])
            _ = try await eventually("four connections") { program.text.contains("ready") ? true : nil }
            return program
        }
        // The server has ended, as the test expects, and has closed all connections.
        #expect(try await idle.result().text.contains("closed"))
    }

    @Test func `a message of arrays in arrays is refused at once`() async throws {
        try await TestServer.run { server in
            let deep = String(repeating: "[", count: 30_000)
            let ending = try await PythonCall(server.cable, ["handshake": .string(#"{"a":"# + deep), "wait": true])
                .place()[0]
            #expect(ending.code == 1007 && ending.reason?.contains("nested arrays") == true)
            #expect(try await PythonCall(server.cable).place().map(\.code) == [1000])
        }
    }
}
