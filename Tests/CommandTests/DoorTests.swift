import CallreelCore
import Foundation
import TestSupport
import Testing

@Suite struct DoorTests {
    private static let secret = "not-a-real-signature-secret-0123456789"

    private func call(_ arguments: String..., environment: [String: String] = [:]) async throws -> Program.Result {
        try await Program.callreel.run(["call", Speech.path, "--speed", "max"] + arguments, environment: environment)
    }

    /// The configuration of a running server with further sections.
    private func configuration(_ more: String) -> String {
        String(RunningServer.configuration.dropLast()) + ", \(more)}"
    }

    private func serve(_ more: String, _ arguments: String..., in directory: TemporaryDirectory = TemporaryDirectory())
        async throws -> Program.Result
    {
        try configuration(more).write(toFile: directory.path + "/callreel.json", atomically: true, encoding: .utf8)
        return try await Program.callreel.run(
            ["serve", "--config", "callreel.json", "--port", "0"] + arguments, in: directory.path)
    }

    // MARK: - Calls

    @Test func `a call straight to the WebSocket is told where to get its token`() async throws {
        let server = try await RunningServer()
        let cable = server.url.replacingOccurrences(of: "http", with: "ws") + "/cable"
        for to in [cable, cable + "?token=not-a-token"] {
            let result = try await call("--to", to)
            #expect(result.status == 1)
            #expect(result.errors.contains("401") && result.errors.contains("/webhooks/answer"), "\(result.errors)")
            #expect(
                result.errors.contains("vonage.requireToken") && !result.errors.contains("not-a-token"),
                "\(result.errors)")
        }
        #expect(server.directory.files(in: "recordings").isEmpty && !server.program.errors.contains("not-a-token"))
        // With the address from the answer webhook, the call is accepted.
        let ncco = try JSONValue(parsing: try await Program("curl").output(["-s", server.url + "/webhooks/answer"]))
        guard case .array(let actions) = ncco, case .array(let endpoints) = actions.last?["endpoint"],
            let uri = endpoints[0]["uri"]?.string
        else {
            throw NeverHappened(description: "an endpoint in \(ncco)")
        }
        #expect(try await call("--to", uri).status == 0)
        _ = try await server.finished(1)
        #expect(try await call("--to", uri).errors.contains("used before"))
    }

    @Test func `a call is signed with the secret of an option or of the environment`() async throws {
        let server = try await RunningServer(
            configuration: configuration(
                #""vonage": {"signatureSecret": "\#(Self.secret)", "apiKey": "key-1", "applicationID": "app-1"}"#))
        let answer = server.url + "/webhooks/answer", names = ["--api-key", "key-1", "--application-id", "app-1"]
        let unsigned = try await call("--to", answer)
        #expect(
            unsigned.status == 1 && unsigned.errors.contains("401")
                && unsigned.errors.contains("VONAGE_SIGNATURE_SECRET"), "\(unsigned.errors)")
        let wrong = try await call(
            "--to", answer, "--signature-secret", "wrong", "--api-key", "key-1", "--application-id", "app-1")
        #expect(wrong.status == 1 && wrong.errors.contains("the signature is wrong"), "\(wrong.errors)")
        let stranger = try await call("--to", answer, "--signature-secret", Self.secret)
        #expect(stranger.status == 1 && stranger.errors.contains("another account"), "\(stranger.errors)")
        let option = try await Program.callreel.run(
            ["call", Speech.path, "--speed", "max", "--to", answer, "--signature-secret", Self.secret] + names)
        #expect(option.status == 0, "\(option.errors)")
        let environment = [
            "VONAGE_SIGNATURE_SECRET": Self.secret, "VONAGE_API_KEY": "key-1", "VONAGE_APPLICATION_ID": "app-1",
        ]
        #expect(try await call("--to", answer, environment: environment).status == 0)
        for recording in try await server.finished(2) { #expect(recording.framesReceived == 176_000) }
        #expect(!server.program.errors.contains(Self.secret) && !server.program.errors.contains("eyJ"))
    }

    // MARK: - TLS

    @Test func `a call goes to a server with a certificate of its own`() async throws {
        let directory = TemporaryDirectory()
        let pair = try await TestCertificate.make(in: directory)
        let tls = #""listen": {"tls": {"certificate": "\#(pair.certificate)", "key": "\#(pair.key)"}}"#
        let server = try await RunningServer(configuration: configuration(tls), in: directory)
        #expect(server.url.hasPrefix("https://127.0.0.1:"))
        let answer = server.url + "/webhooks/answer"
        #expect(server.program.text.contains("--to \(answer) --insecure\n"))
        let stranger = try await call("--to", answer)
        #expect(stranger.status == 1 && stranger.errors.contains("CERTIFICATE_VERIFY_FAILED"), "\(stranger.errors)")
        let other = try await TestCertificate.make("other", in: directory)
        let mistaken = try await call("--to", answer, "--ca", other.certificate)
        #expect(mistaken.status == 1 && mistaken.errors.contains("CERTIFICATE_VERIFY_FAILED"), "\(mistaken.errors)")
        let missing = try await call("--to", answer, "--ca", "nowhere.pem")
        #expect(missing.status == 1 && missing.errors.contains("nowhere.pem"), "\(missing.errors)")
        for trust in [["--ca", pair.certificate], ["--insecure"]] {
            let result = try await Program.callreel.run(
                ["call", Speech.path, "--speed", "max", "--to", answer] + trust)
            #expect(result.status == 0, "\(result.errors)")
        }
        let pcm = try await Speech.pcm()
        for recording in try await server.finished(2) {
            #expect(try Data(contentsOf: URL(fileURLWithPath: server.paths(recording)[2])) == pcm)
        }
    }

    @Test func `a new certificate is taken up on SIGHUP, a bad one is not, and calls go on`() async throws {
        let directory = TemporaryDirectory()
        let pair = try await TestCertificate.make(in: directory)
        let tls = #""listen": {"tls": {"certificate": "\#(pair.certificate)", "key": "\#(pair.key)"}}"#
        let server = try await RunningServer(configuration: configuration(tls), in: directory)
        let first = try String(contentsOfFile: pair.certificate, encoding: .utf8)
        let running = try Program.callreel.start([
            "call", Speech.path, "--to", server.url + "/webhooks/answer", "--insecure",
        ])
        _ = try await eventually("a call that is recorded") {
            server.program.errors.contains("call started") ? true : nil
        }
        let port = try #require(server.url.split(separator: ":").last)
        func served() async throws -> String {
            let text = try await Program("openssl").run([
                "s_client", "-connect", "127.0.0.1:\(port)", "-servername", "localhost",
            ]).text
            let start = try #require(text.range(of: "-----BEGIN")),
                end = try #require(text.range(of: "-----END CERTIFICATE-----"))
            return text[start.lowerBound..<end.upperBound] + "\n"
        }
        #expect(try await served() == first)

        // The key does not belong to the certificate, so the server keeps the old pair.
        _ = try await TestCertificate.make(in: directory)
        let second = try String(contentsOfFile: pair.certificate, encoding: .utf8)
        let key = try Data(contentsOf: URL(fileURLWithPath: pair.key))
        let other = try await TestCertificate.make("other", in: directory)
        try Data(contentsOf: URL(fileURLWithPath: other.key)).write(to: URL(fileURLWithPath: pair.key))
        server.program.signal(SIGHUP)
        let log = try await eventually("the refusal of the pair") {
            server.program.errors.contains("not reloaded") ? server.program.errors : nil
        }
        #expect(log.contains(pair.key) && log.contains("error"))
        #expect(try await served() == first)

        try key.write(to: URL(fileURLWithPath: pair.key))
        server.program.signal(SIGHUP)
        _ = try await eventually("the new pair") { server.program.errors.contains("certificate reloaded") ? true : nil }
        #expect(try await served() == second && second != first)

        // The call that began under the first certificate goes on undisturbed.
        #expect(try await running.result().status == 0)
        #expect(try await server.finished(1)[0].framesReceived == 176_000)
        server.program.signal(SIGTERM)
        #expect(try await server.program.result().status == 0)
    }

    @Test func `a certificate that is not right stops the start with its path`() async throws {
        let directory = TemporaryDirectory()
        let pair = try await TestCertificate.make(in: directory),
            other = try await TestCertificate.make("other", in: directory)
        try "nonsense".write(toFile: directory.path + "/nonsense.pem", atomically: true, encoding: .utf8)
        let nonsense = directory.path + "/nonsense.pem", missing = directory.path + "/missing.pem"
        for (certificate, key, names) in [
            (missing, pair.key, ["listen.tls.certificate", missing, "does not exist"]),
            (pair.certificate, missing, ["listen.tls.key", missing]),
            (nonsense, pair.key, ["listen.tls.certificate", nonsense]),
            (pair.certificate, nonsense, ["listen.tls.key", nonsense]),
            (pair.certificate, other.key, ["listen.tls.key", other.key, pair.certificate]),
            (pair.key, pair.key, ["listen.tls.certificate", pair.key]), ("", pair.key, ["listen.tls.certificate"]),
        ] {
            let result = try await serve(
                #""listen": {"tls": {"certificate": "\#(certificate)", "key": "\#(key)"}}"#, in: directory)
            #expect(result.status == 1 && !result.text.contains("ready"))
            for name in names { #expect(result.errors.contains(name), "\(result.errors)") }
        }
        #expect(
            try await serve(#""listen": {"tls": {"key": "k"}}"#).errors.contains("listen.tls.certificate: is missing"))
    }

    // MARK: - The page

    @Test func `listening beyond loopback needs a password, a token or a clear word`() async throws {
        for arguments in [["--host", "0.0.0.0"], ["--host", "::"]] {
            let directory = TemporaryDirectory()
            try RunningServer.configuration.write(
                toFile: directory.path + "/callreel.json", atomically: true, encoding: .utf8)
            let result = try await Program.callreel.run(
                ["serve", "--config", "callreel.json", "--port", "0"] + arguments, in: directory.path)
            #expect(result.status == 1 && !result.text.contains("ready"))
            for word in [arguments[1], "access.password", "access.token", "access.allowOpen"] {
                #expect(result.errors.contains(word), "\(result.errors)")
            }
            #expect(directory.files() == ["callreel.json"])
        }
        for access in [#"{"allowOpen": true}"#, #"{"password": "correct horse"}"#] {
            let server = try await RunningServer(
                "--host", "0.0.0.0", configuration: configuration(#""access": \#(access)"#))
            server.program.signal(SIGTERM)
            #expect(try await server.program.result().status == 0)
        }
        let directory = TemporaryDirectory()
        try configuration(#""listen": {"host": "0.0.0.0"}"#).write(
            toFile: directory.path + "/c.json", atomically: true, encoding: .utf8)
        let check = try await Program.callreel.run(["config", "check", "--config", "c.json"], in: directory.path)
        #expect(check.status == 1 && check.errors.contains("access: listening on \"0.0.0.0\""), "\(check.errors)")
    }

    // MARK: - Secrets

    @Test func `a secret in a file is used, and a file that is not right stops the start with its path`() async throws {
        let directory = TemporaryDirectory()
        try "correct horse\n".write(toFile: directory.path + "/password", atomically: true, encoding: .utf8)
        let server = try await RunningServer(
            configuration: configuration(#""access": {"password": "file:password"}"#), in: directory)
        for (password, status) in [("correct horse", "200"), ("file:password", "401")] {
            let answer = try await Program("curl").run([
                "-s", "-o", "/dev/null", "-w", "%{http_code}", "-u", "callreel:\(password)", server.url,
            ])
            #expect(answer.text == status)
        }
        for key in ["vonage.signatureSecret", "vonage.tokenKey", "access.password", "access.token"] {
            let parts = key.split(separator: ".")
            let result = try await serve(#""\#(parts[0])": {"\#(parts[1])": "file:/nowhere/secret"}"#)
            #expect(
                result.status == 1 && result.errors.contains("\(key): the file \"/nowhere/secret\" does not exist"),
                "\(result.errors)")
        }
    }

    @Test func `no mistake shows a secret, wherever it was put`() async throws {
        let directory = TemporaryDirectory(), secret = "s3cr3t-s3cr3t"
        let environment = ["THE_SECRET": secret]
        for more in [
            #""vonage": {"tokenKey": "\#(secret)"}"#, #""vonage": {"signatureSecret": [{"x": "\#(secret)"}]}"#,
            #""access": {"password": {"x": "\#(secret)"}}"#,
            #""access": "\#(secret)""#, #""access": {"pasword": "\#(secret)"}"#,
            #""vonage": {"tokenKey": "${THE_SECRET}"}"#,
            // Where a secret does not belong, the message names the variable instead of its value.
            #""listen": {"port": "${THE_SECRET}"}"#, #""publicURL": "${THE_SECRET}""#,
            #""recordings": {"name": "{${THE_SECRET}}"}"#,
            #""recordings": {"mode": "${THE_SECRET}"}"#,
            #""listen": {"trustedProxies": ["10.0.0.1", "${THE_SECRET}"]}"#,
            #""listen": {"trustedProxies": {"x": "${THE_SECRET}"}}"#, #""recordings": ["${THE_SECRET}"]"#,
        ] {
            try #"{"sinks": [{"type": "raw"}], \#(more)}"#.write(
                toFile: directory.path + "/c.json", atomically: true, encoding: .utf8)
            let result = try await Program.callreel.run(
                ["config", "check", "--config", "c.json"], in: directory.path, environment: environment)
            #expect(result.status == 1, "\(more)")
            #expect(!(result.errors + result.text).contains("s3cr3t"), "\(more): \(result.errors)")
            #expect(
                !more.contains("${") || more.contains("tokenKey") || result.errors.contains("${THE_SECRET}"),
                "\(more): \(result.errors)")
        }
    }
}
