import CallreelCore
import CallreelServer
import CallreelSinks
import Foundation
import TestSupport
import Testing

@testable import CallreelCarriers

@Suite struct AccessTests {
    private static let password = "correct horse:battery", token = "0123456789abcdef-token"
    private static let guarded =
        #", "access": {"user": "anna", "password": "\#(password)", "token": "\#(token)"}, "limits": {"failedTriesPerMinute": 100000}"#

    private func curl(_ arguments: String...) async throws -> String {
        try await Program("curl").run(["-s", "-i", "--max-time", "20", "--path-as-is"] + arguments).text
    }

    @Test func `nothing is shown without the password or the token`() async throws {
        let book = LogBook()
        try await TestServer.run(more: Self.guarded, logger: book.logger) { server in
            let pcm = server.directory.path + "/speech.pcm"
            try await Speech.pcm().write(to: URL(fileURLWithPath: pcm))
            // A carrier needs neither.
            #expect(try await PythonCall(server.cable, pcm: pcm).place()[0].code == 1000)
            let recording = try await server.finished()[0]
            let file = try #require(recording.sinks.first?.files.first?.name)
            let paths = [
                "/", "/page.js", "/page.css", "/api/calls", "/recordings/\(file)", "/recordings/\(recording.name).json",
                "/metrics",
            ]
            let hidden = [
                "/recordings/nothing", "/nothing", "//", "/webhooks/../api/calls", "/webhooks/answer/../../api/calls",
                "/webhooks/answer/x", "/%61pi/calls", "/cable/../api/calls", "/healthz/../recordings/\(file)",
                "/API/calls",
            ]
            for path in paths + hidden {
                for wrong in [
                    [], ["-u", "anna:wrong"], ["-u", "eve:\(Self.password)"], ["-u", "anna:"],
                    ["-u", "anna:\(Self.token)"],
                    ["-H", "Authorization: Bearer wrong"], ["-H", "Authorization: Bearer "],
                    ["-H", "Authorization: Bearer \(Self.password)"],
                    ["-H", "Authorization: Basic ???"], ["-H", "Authorization: Digest x"],
                    ["-H", "Authorization: Bearer \(Self.token)", "-H", "Authorization: Bearer wrong"],
                ] where wrong.isEmpty || paths.contains(path) {
                    let answer = try await Program("curl").run(
                        ["-s", "-i", "--max-time", "20", "--path-as-is"] + wrong + [server.http + path]
                    ).text
                    #expect(answer.hasPrefix("HTTP/1.1 401"), "\(path) \(wrong) \(answer.prefix(100))")
                    #expect(answer.lowercased().contains("www-authenticate: basic realm=\"callreel\""))
                    #expect(answer.lowercased().contains("www-authenticate: bearer"))
                    #expect(answer.lowercased().contains("content-security-policy") && !answer.contains(recording.name))
                }
                guard paths.contains(path) else { continue }
                for right in [
                    ["-u", "anna:\(Self.password)"], ["-H", "Authorization: Bearer \(Self.token)"],
                    ["-H", "authorization: bearer \(Self.token)"],
                ] {
                    let answer = try await Program("curl").output(
                        ["-s", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}"] + right + [
                            server.http + path
                        ])
                    #expect(String(decoding: answer, as: UTF8.self) == "200", "\(path) \(right)")
                }
            }
            #expect(try await curl("-I", server.http + "/recordings/\(file)").hasPrefix("HTTP/1.1 401"))
            #expect(try await curl("-r", "0-10", server.http + "/recordings/\(file)").hasPrefix("HTTP/1.1 401"))
            #expect(try await curl(server.http + "/webhooks/answer?uuid=u").hasPrefix("HTTP/1.1 200"))
            #expect(try await curl("-X", "POST", server.http + "/webhooks/event").hasPrefix("HTTP/1.1 204"))
            #expect(try await curl(server.http + "/cable").hasPrefix("HTTP/1.1 426"))
            #expect(try await curl(server.http + "/healthz").hasPrefix("HTTP/1.1 200"))
            #expect(try await curl(server.http + "/readyz").hasPrefix("HTTP/1.1 200"))
            // Ten wrong credentials at each of seven paths.
            let metrics = try await curl("-u", "anna:" + Self.password, server.http + "/metrics")
            #expect(metrics.contains(#"callreel_refused_total{reason="unauthorized"} 70"#))
        }
        // Further refusals are counted, and not each is logged.
        #expect(book.text.contains("access refused client.address=127.0.0.1 path=/"))
        #expect(!book.text.contains("correct horse") && !book.text.contains(Self.token))
    }

    @Test func `one of the two is enough, and only that one is asked for`() async throws {
        try await TestServer.run(more: #", "access": {"token": "\#(Self.token)"}"#) { server in
            let answer = try await curl("-u", "callreel:" + Self.token, server.http + "/")
            #expect(
                answer.hasPrefix("HTTP/1.1 401") && answer.contains("Bearer realm") && !answer.contains("Basic realm"))
            #expect(
                try await curl("-H", "Authorization: Bearer " + Self.token, server.http + "/").hasPrefix("HTTP/1.1 200")
            )
        }
        try await TestServer.run(more: #", "access": {"password": "\#(Self.password)"}"#) { server in
            let answer = try await curl("-H", "Authorization: Bearer " + Self.password, server.http + "/")
            #expect(
                answer.hasPrefix("HTTP/1.1 401") && !answer.contains("Bearer realm") && answer.contains("Basic realm"))
            #expect(try await curl("-u", "callreel:" + Self.password, server.http + "/").hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test func `a password and a token are changed while both of each are in use`() async throws {
        let both =
            #", "access": {"password": ["new password", "old password"], "token": ["new-token-0123456789", "old-token-0123456789"]}"#
        try await TestServer.run(more: both) { server in
            for password in ["new password", "old password"] {
                let answer = try await curl("-u", "callreel:" + password, server.http + "/api/calls")
                #expect(answer.hasPrefix("HTTP/1.1 200"))
            }
            for token in ["new-token-0123456789", "old-token-0123456789"] {
                let answer = try await curl("-H", "Authorization: Bearer " + token, server.http + "/api/calls")
                #expect(answer.hasPrefix("HTTP/1.1 200"))
            }
            for wrong in ["new passwordold password", "old-token-0123456789", ""] {
                let answer = try await curl("-u", "callreel:" + wrong, server.http + "/api/calls")
                #expect(answer.hasPrefix("HTTP/1.1 401"))
            }
        }
    }

    @Test func `a slash at the end changes nothing, with a password or without`() async throws {
        for access in [Self.guarded, ""] {
            try await TestServer.run(vonage: #"{"talk": ""}"#, more: access) { server in
                for (path, status) in [
                    ("/webhooks/answer", 200), ("/webhooks/answer/", 200), ("//webhooks//answer//", 200),
                    ("/healthz/", 200), ("/readyz//", 200),
                    ("/webhooks/event/", 204), ("/cable/", 426), ("/api/calls/", access.isEmpty ? 200 : 401),
                ] {
                    let answer = try await curl(server.http + path)
                    #expect(answer.hasPrefix("HTTP/1.1 \(status)"), "\(path)")
                }
            }
        }
    }

    @Test func `a trusted proxy's word is taken for who is refused, and for TLS; nobody else's is`() async throws {
        for (trusted, client, isSecure) in [(#"["127.0.0.0/8"]"#, "198.51.100.7", true), ("[]", "127.0.0.1", false)] {
            let book = LogBook()
            try await TestServer.run(
                listen: #", "trustedProxies": \#(trusted)"#, vonage: #"{"signatureSecret": "s"}"#, more: Self.guarded,
                logger: book.logger
            ) { server in
                let headers = ["-H", "X-Forwarded-For: 1.1.1.1, 198.51.100.7", "-H", "X-Forwarded-Proto: https"]
                let upgrade = ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket"]
                let answer = try await Program("curl").run(["-s", "-i", "-u", "a:b"] + headers + [server.http + "/"])
                    .text.lowercased()
                #expect(answer.contains("strict-transport-security") == isSecure)
                _ = try await Program("curl").run(["-s"] + headers + [server.http + "/webhooks/answer"])
                _ = try await Program("curl").run(["-s", "--http1.1"] + headers + upgrade + [server.http + "/cable"])
            }
            for what in ["access refused", "webhook refused", "connection refused"] {
                let line = book.lines.first { $0.hasPrefix(what) }
                #expect(line?.contains("client.address=\(client)") == true, "\(line ?? "no line") of \(what)")
            }
        }
    }

    @Test(arguments: [
        ("0.0.0.0", "{}", false), ("::", "{}", false), ("192.0.2.1", "{}", false),
        ("0.0.0.0", #"{"allowOpen": true}"#, true),
        ("0.0.0.0", #"{"password": "correct horse"}"#, true), ("0.0.0.0", #"{"token": "0123456789abcdef"}"#, true),
        ("127.0.0.1", "{}", true),
        ("::1", "{}", true), ("localhost", "{}", true),
    ])
    func `a server that others reach does not start without a password`(host: String, access: String, starts: Bool)
        throws
    {
        var problems: [ConfigurationProblem] = []
        let text = #"{"listen": {"host": "\#(host)"}, "access": \#(access), "sinks": [{"type": "raw"}]}"#
        let configuration = Configuration(
            try JSONValue(parsing: Data(text.utf8)), plugins: Plugins(sinks: .builtIn, carriers: .builtIn),
            environment: [:], problems: &problems)
        #expect(problems.isEmpty)
        do {
            _ = try CallreelService(configuration: configuration, logger: LogBook().logger)
            #expect(starts)
        } catch {
            #expect(!starts)
            for word in [host, "access.password", "access.token", "access.allowOpen"] {
                #expect("\(error)".contains(word), "\(error)")
            }
        }
    }
}
