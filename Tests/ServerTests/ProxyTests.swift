import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelServer

/// Calls through the proxies common in front of servers. They end TLS and reuse connections to the server.
@Suite struct ProxyTests {
    /// Starts a proxy in front of a server.
    private func start(_ name: String, _ port: Int, to server: TestServer, _ pair: TestCertificate) throws
        -> RunningProgram
    {
        let folder = server.directory.path, file = folder + "/proxy.conf"
        if name == "nginx" {
            let text = """
                daemon off; worker_processes 1; pid \(folder)/nginx.pid; error_log stderr warn; \(getuid() == 0 ? "user root;" : "")
                events {}
                http {
                  access_log off;
                  client_body_temp_path \(folder)/b; proxy_temp_path \(folder)/p; fastcgi_temp_path \(folder)/f;
                  uwsgi_temp_path \(folder)/u; scgi_temp_path \(folder)/s;
                  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
                  upstream callreel { server 127.0.0.1:\(server.address.port); keepalive 1; }
                  server {
                    listen 127.0.0.1:\(port) ssl; ssl_certificate \(pair.certificate); ssl_certificate_key \(pair.key);
                    location / {
                      proxy_pass http://callreel; proxy_http_version 1.1; proxy_set_header Host $host;
                      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
                      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
                    }
                  }
                }
                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            return try Program("nginx").start(["-p", folder, "-c", file])
        }
        let both = folder + "/both.pem"
        try Data(
            (String(contentsOfFile: pair.certificate, encoding: .utf8)
                + String(contentsOfFile: pair.key, encoding: .utf8)).utf8
        )
        .write(to: URL(fileURLWithPath: both))
        let text = """
            defaults
              mode http
              timeout connect 5s
              timeout client 60s
              timeout server 60s
              timeout tunnel 60s
            frontend calls
              bind 127.0.0.1:\(port) ssl crt \(both)
              default_backend callreel
            backend callreel
              http-reuse always
              option forwardfor
              server one 127.0.0.1:\(server.address.port) pool-max-conn 1

            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        return try Program("haproxy").start(["-db", "-f", file])
    }

    @Test(arguments: ["nginx", "haproxy"]) func `calls come through a proxy that uses its connections again`(
        name: String
    ) async throws {
        let directory = TemporaryDirectory(), book = LogBook()
        let pair = try await TestCertificate.make(in: directory)
        let pcm = directory.path + "/speech.pcm"
        try await Speech.pcm().write(to: URL(fileURLWithPath: pcm))
        try await TestServer.run(
            listen: #", "trustedProxies": ["127.0.0.1"]"#, more: #", "access": {"allowOpen": true}"#, in: directory,
            logger: book.logger
        ) { server in
            let port = try await Loopback.freePort()
            let proxy = try start(name, port, to: server, pair)
            defer { proxy.signal(SIGTERM) }
            let https = "https://127.0.0.1:\(port)"
            func ask(_ path: String) async throws -> Program.Result {
                try await Program("curl").run(["-s", "--cacert", pair.certificate, "--max-time", "20", https + path])
            }
            _ = try await eventually("a proxy that answers") {
                try await ask("/healthz").text == "alive\n" ? true : nil
            }
            for number in 1...3 {
                let ncco = try JSONValue(parsing: try await ask("/webhooks/answer?uuid=u-\(number)").output)
                let uri = try #require(ncco.elements.last?["endpoint"]?.elements.first?["uri"]?.string)
                let query = try #require(uri.split(separator: "?").last)
                let hello = JSONValue.string(PythonCall.handshake(16000, #", "uuid": "u-\#(number)""#))
                let call = PythonCall(
                    "wss://127.0.0.1:\(port)/cable?\(query)", pcm: pcm,
                    ["handshake": hello, "ca": .string(pair.certificate)])
                #expect(try await call.place().map(\.code) == [1000], "call \(number)")
            }
            let recordings = try await server.finished(3)
            #expect(recordings.map(\.framesReceived) == [176_000, 176_000, 176_000])
        }
        #expect(!book.text.contains("connection refused"))
    }
}
