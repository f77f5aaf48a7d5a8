import CallreelCore
import CallreelSinks
import Foundation
import TestSupport
import Testing

@testable import CallreelCarriers
@testable import CallreelEngine
@testable import CallreelServer

@Suite struct KnownHostsTests {
    private static let password = "correct horse"

    /// Returns status and body of a request.
    private func curl(_ arguments: String...) async throws -> (status: String, text: String) {
        let text = try await Program("curl").run(
            ["-s", "--max-time", "20", "--path-as-is", "-w", "\n%{http_code}"] + arguments
        ).text
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return (String(lines.last ?? ""), lines.dropLast().joined(separator: "\n"))
    }

    @Test func `without a password a page that lets its name lead here is not answered`() async throws {
        let book = LogBook()
        try await TestServer.run(more: #", "access": {"hosts": ["Recorder.lan"]}"#, logger: book.logger) { server in
            #expect(try await PythonCall(server.cable, pcm: Speech.path).place()[0].code == 1000)
            let recording = try await server.finished()[0]
            let listed = try JSONValue(parsing: Data(try await curl(server.http + "/api/calls").text.utf8))
            let file = try #require(listed["recordings"]?.elements.first?["files"]?.elements.first?["url"]?.string)
            let paths = [
                "/", "/page.js", "/api/calls", file, "/recordings/\(recording.name).json", "/metrics", "/nothing",
            ]
            for host in [
                "evil.example", "evil.example:\(server.address.port)", "127.0.0.1.evil.example",
                "localhost.evil.example", "evil.example.",
            ] {
                for path in paths {
                    let answer = try await curl("-H", "Host: \(host)", server.http + path)
                    #expect(answer.status == "421" && answer.text.contains("access.hosts"), "\(host) \(path) \(answer)")
                    #expect(!answer.text.contains(recording.name))
                }
                // The host in an absolute target is the one that counts.
                #expect(try await curl("--request-target", "http://\(host)/api/calls", server.http).status == "421")
                #expect(try await curl("-H", "Host: \(host)", server.http + "/healthz").status == "200")
            }
            for host in [
                "localhost", "LOCALHOST.:1", "app.localhost", "127.0.0.1", "[::1]:80", "192.0.2.7", "recorder.lan:9292",
                "recorder:9292",
            ] {
                #expect(try await curl("-H", "Host: \(host)", server.http + "/api/calls").status == "200", "\(host)")
                #expect(
                    try await curl(
                        "--request-target", "http://\(host)/api/calls", "-H", "Host: evil.example", server.http
                    ).status == "200")
            }
            // Carriers may use any host name, and see no recordings.
            #expect(try await curl("-H", "Host: evil.example", server.http + "/webhooks/answer").status == "200")
            #expect(try await curl("-H", "Host: evil.example", server.http + "/metrics/").status == "421")
            let metrics = try await curl(server.http + "/metrics").text
            #expect(
                metrics.contains(#"callreel_refused_total{reason="host"} "#)
                    && !metrics.contains(#"callreel_refused_total{reason="host"} 0"#))
        }
        #expect(book.text.contains("request refused") && book.text.contains("evil.example"))
    }

    @Test func `with a password any name will do`() async throws {
        try await TestServer.run(more: #", "access": {"password": "\#(Self.password)"}"#) { server in
            let answer = try await curl(
                "-u", "callreel:\(Self.password)", "-H", "Host: calls.example.net", server.http + "/api/calls")
            #expect(answer.status == "200")
            #expect(try await curl("-H", "Host: calls.example.net", server.http + "/api/calls").status == "401")
        }
    }

    @Test func `a page of another site changes nothing and places no call`() async throws {
        let more = #", "publicURL": "https://calls.example.com/phone", "access": {"password": "\#(Self.password)"}"#
        try await TestServer.run(vonage: TestServer.trusting, more: more) { server in
            let own = "http://127.0.0.1:\(server.address.port)"
            let upgrade = [
                "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13", "-H",
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            ]
            for (origin, isOurs) in [
                ("https://evil.example", false), ("null", false), ("http://127.0.0.1:1", false),
                ("http://localhost:\(server.address.port)", false),
                ("https://calls.example.com.evil.example", false), ("https://calls.example.com", true), (own, true),
                (own.uppercased(), true),
            ] {
                let header = ["-H", "Origin: \(origin)", "-u", "callreel:\(Self.password)"]
                let pause = try await Program("curl").run(
                    ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST"] + header + [
                        own + "/api/calls/nobody/pause"
                    ]
                ).text
                #expect(pause == (isOurs ? "404" : "403"), "\(origin): \(pause)")
                for path in ["/webhooks/event", "/webhooks/answer", "/api/calls"] {
                    let answer = try await Program("curl").run(
                        ["-s", "-o", "/dev/null", "-w", "%{http_code}"] + header
                            + (path.contains("event") ? ["-d", "{}"] : []) + [own + path]
                    ).text
                    #expect((answer == "403") == !isOurs, "\(origin) \(path): \(answer)")
                }
                let call = try await Program("curl").run(
                    ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "4", "--http1.1"] + [
                        "-H", "Origin: \(origin)",
                    ] + upgrade + [
                        own + "/cable"
                    ]
                ).text
                #expect(call == (isOurs ? "101" : "403"), "\(origin): \(call)")
            }
        }
    }

    @Test func `a name that leads here does not make a page ours where there is no password`() async throws {
        try await TestServer.run { server in
            let own = "http://127.0.0.1:\(server.address.port)"
            let answer = try await Program("curl").run([
                "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20", "--http1.1", "-H",
                "Host: evil.example:1", "-H",
                "Origin: http://evil.example:1",
                "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13", "-H",
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
                own + "/cable",
            ]).text
            #expect(answer == "421")
            #expect(
                try await curl(
                    "-H", "Host: evil.example:1", "-H", "Origin: http://evil.example:1", "-d", "{}",
                    own + "/webhooks/event"
                ).status
                    == "421")
        }
    }

    // MARK: - Hosts reachable without a password

    @Test(
        arguments: [
            (#""publicURL": "https://calls.example.com""#, "calls.example.com"),
            (#""publicURL": "http://192.0.2.7:9292""#, "192.0.2.7"),
            (#""listen": {"trustedProxies": ["127.0.0.1"]}"#, "listen.trustedProxies"),
            (#""listen": {"host": "::"}"#, "::"),
            (#""publicURL": "http://localhost:9292""#, nil), (#""publicURL": "http://[::1]:9292/phone""#, nil),
        ] as [(String, String?)])
    func `a server that a proxy or a tunnel makes public does not start without a password`(
        more: String, named: String?
    ) throws {
        for access in [#"{"allowOpen": true}"#, #"{"password": "\#(Self.password)"}"#, "{}"] {
            var problems: [ConfigurationProblem] = []
            let text = #"{\#(more), "access": \#(access), "sinks": [{"type": "raw"}]}"#
            let configuration = Configuration(
                try JSONValue(parsing: Data(text.utf8)), plugins: Plugins(sinks: .builtIn, carriers: .builtIn),
                environment: [:], problems: &problems)
            #expect(problems.isEmpty, "\(problems)")
            let exposure = configuration.exposure?.description
            if access == "{}", let named {
                for word in [named, "access.password", "access.token", "access.allowOpen"] {
                    #expect(exposure?.contains(word) == true, "\(exposure ?? "nothing")")
                }
                #expect(throws: ServiceError.self) {
                    try CallreelService(configuration: configuration, logger: LogBook().logger)
                }
            } else {
                #expect(exposure == nil)
            }
        }
    }

    // MARK: - Tunnels

    @Test func `a webhook for another host is told to the operator, in the log and on the page`() async throws {
        let book = LogBook()
        let more = #", "publicURL": "https://old.example.com", "access": {"password": "\#(Self.password)"}"#
        try await TestServer.run(more: more, logger: book.logger) { server in
            func warnings() async throws -> String {
                try JSONValue(
                    parsing: Data(
                        try await curl("-u", "callreel:\(Self.password)", server.http + "/api/calls").text.utf8))[
                        "warnings"]?
                    .json() ?? ""
            }
            _ = try await curl(server.http + "/webhooks/answer")
            _ = try await curl("-H", "Host: old.example.com", server.http + "/webhooks/answer")
            // A proxy may turn a name into an address.
            _ = try await curl("-H", "Host: 192.0.2.7:9292", server.http + "/webhooks/answer")
            #expect(try await warnings() == "[]")
            for _ in 0..<5 { _ = try await curl("-H", "Host: new.example.com", server.http + "/webhooks/answer") }
            #expect(try await warnings().contains("new.example.com"))
            _ = try await curl("-H", "Host: old.example.com", server.http + "/webhooks/answer")
            #expect(try await warnings() == "[]")
        }
        #expect(
            book.lines.count { $0.contains("webhook came for another host") && $0.contains("https://new.example.com") }
                == 1)
    }
}
