import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelServer

/// Less common uses of HTTP connections, by an independent client.
@Suite struct ConnectionTests {
    /// Returns the client's view of one action.
    private func deed(_ name: String, _ server: TestServer, _ target: String? = nil, _ more: String...) async throws
        -> JSONValue
    {
        let arguments =
            [
                Speech.fixture("connection_client.py"), name, "127.0.0.1", String(server.address.port),
                target ?? server.target,
            ] + more
        return try JSONValue(parsing: try await Program("python3").output(arguments))
    }

    @Test(arguments: ["call behind a request", "call behind a POST", "call in the same bytes", "call behind h2c"])
    func `any request of a connection may become a call`(name: String) async throws {
        try await TestServer.run { server in
            let found = try await deed(name, server)
            let first = name.hasSuffix("POST") ? 204 : 200
            #expect(found["statuses"] == .array([.integer(first), 101]) && found["code"] == 1000, "\(found)")
            #expect(try await server.finished()[0].framesReceived == 1600)
        }
    }

    @Test(arguments: ["h2c", "h2c in the same bytes"])
    func `a connection on which another protocol was offered goes on`(name: String) async throws {
        try await TestServer.run { server in
            let found = try await deed(name, server)
            #expect(found["statuses"] == .array(name == "h2c" ? [200, 200, 200] : [200, 404, 200]), "\(found)")
        }
    }

    @Test(arguments: [("bad upgrade behind a download", 404), ("nonsense behind a download", 400)])
    func `a refusal comes behind the response that is under way`(name: String, status: Int) async throws {
        try await TestServer.run { server in
            let found = try await deed(name, server, try await server.largeFile(8 << 20))
            #expect(found["first"] == 200 && found["missing"] == 0 && found["intact"] == true, "\(found)")
            #expect(found["second"] == .integer(status) && found["ended"] == true, "\(found)")
            #expect(try server.refusals("handshake") == 1)
        }
    }

    @Test func `connections of HTTP 1.0 end behind their response, unless they are to be kept`() async throws {
        try await TestServer.run(more: #", "limits": {"keepAliveTimeout": 1}"#) { server in
            let once = try await deed("HTTP/1.0", server, "/healthz")
            #expect(once.json() == #"{"chunked":false,"connection":"close","ended":true,"status":200}"#)
            let kept = try await deed("HTTP/1.0 kept alive", server, "/healthz")
            #expect(
                kept.json() == #"{"again":200,"chunked":false,"connection":"keep-alive","ended":true,"status":200}"#)
            let found1 = try await deed("close", server)
            #expect(found1.json() == #"{"ended":true,"status":200}"#)
        }
    }

    @Test func `a client that waits to be told to go on is told, in its turn`() async throws {
        try await TestServer.run { server in
            let found2 = try await deed("expect", server)
            #expect(found2["statuses"] == .array([100, 204]))
            let found3 = try await deed("expect behind a request", server)
            #expect(found3["statuses"] == .array([200, 100, 204]))
        }
    }

    @Test func `the preface of HTTP 2 is told which version is spoken`() async throws {
        try await TestServer.run { server in
            let found4 = try await deed("version 2", server)
            #expect(found4.json() == #"{"ended":true,"status":505}"#)
        }
    }

    /// A proxy in front of the server might choose another host than the server.
    @Test(arguments: [("no host", 400), ("two hosts", 400), ("no host in 1.0", 200)])
    func `a request names one host`(name: String, status: Int) async throws {
        try await TestServer.run { server in
            let found = try await deed(name, server)
            #expect(found["statuses"] == .array([.integer(status)]), "\(found)")
        }
    }

    @Test func `a file that becomes shorter ends its connection, and no other response stands in its body`()
        async throws
    {
        try await TestServer.run { server in
            // Larger than all buffers on the way.
            let target = try await server.largeFile(64 << 20)
            let recording = try await server.finished()[0]
            let names = recording.sinks.flatMap(\.files).map(\.name).filter {
                target.hasSuffix($0.split(separator: "/").last ?? "?")
            }
            let found = try await deed(
                "shrinking", server, target, server.recordings + "/" + (try #require(names.first)))
            #expect(found["status"] == 200 && found["isShort"] == true && found["mixed"] == false, "\(found)")
        }
    }

    @Test(arguments: ["slow second head", "slow second body"])
    func `a later request that does not come in time is cut off`(name: String) async throws {
        try await TestServer.run(more: #", "limits": {"handshakeTimeout": 1}"#) { server in
            var found = JSONValue.null, attempts = 0
            // A client that gets no processor for a second loses the answer with the connection: it goes on sending.
            repeat {
                found = try await deed(name, server)
                attempts += 1
            } while found["status"] == .null && attempts < 5
            #expect(found["status"] == 408 && found["ended"] == true, "\(found)")
            #expect(try server.refusals("handshake_time") == attempts)
            #expect(try server.refusals("webhook") == 0)
        }
    }

    @Test func `a connection that rests is closed, and one that never speaks is told`() async throws {
        try await TestServer.run(more: #", "limits": {"keepAliveTimeout": 1, "handshakeTimeout": 1}"#) { server in
            let found5 = try await deed("idle", server)
            #expect(found5.json() == #"{"ended":true,"status":200}"#)
            let found6 = try await deed("silent", server)
            #expect(found6.json() == #"{"ended":true,"status":408}"#)
        }
    }

    @Test func `a TLS client that says nothing is closed`() async throws {
        let directory = TemporaryDirectory()
        let pair = try await TestCertificate.make(in: directory)
        let book = LogBook()
        try await TestServer.run(
            listen: pair.listen, more: #", "limits": {"handshakeTimeout": 1}"#, in: directory, logger: book.logger
        ) { server in
            let found7 = try await deed("silent", server)
            #expect(found7.json() == #"{"ended":true,"status":null}"#)
        }
        #expect(
            book.text.contains("connection refused client.address=127.0.0.1 reason=the request did not arrive in time"))
    }

    @Test func `a client that reads slowly and never stops gets the whole file`() async throws {
        try await TestServer.run(more: #", "limits": {"slowReaderTimeout": 1}"#) { server in
            let size = 32 << 20
            let got = try await deed("slow download", server, try await server.largeFile(size))["bytes"]?.double ?? 0
            #expect(got > Double(size), "\(got)")
            #expect(try server.refusals("slow_reader") == 0)
        }
    }

    @Test func `bad upgrades take no place of a call`() async throws {
        try await TestServer.run(more: #", "limits": {"calls": 1}"#) { server in
            let found = try await deed("bad then good", server)
            #expect(
                found["bad"] == .array([401, 401, 401, 401, 401]) && found["good"] == 101 && found["code"] == 1000,
                "\(found)")
        }
    }

    @Test func `a refused call can come again with its token when there is room`() async throws {
        try await TestServer.run(more: #", "limits": {"calls": 1}"#) { server in
            let first = try await PythonCall(server.cable, ["hold": true]).start()
            let address = server.cable
            #expect(try await PythonCall(address).place().map(\.status) == [503])
            first.signal(SIGKILL)
            _ = try await server.finished()
            #expect(try await PythonCall(address).place().map(\.code) == [1000])
        }
    }

    @Test func `a flood of refusals leaves few lines, and the rest is counted`() async throws {
        let book = LogBook()
        try await TestServer.run(logger: book.logger) { server in
            let found8 = try await deed("flood", server)
            #expect(found8.json() == #"{"400":2000}"#)
            #expect(try server.refusals("webhook") == 2000)
            let lines = book.lines.filter { $0.hasPrefix("webhook refused") }
            #expect((10..<200).contains(lines.count), "\(lines.count) lines")
            // A request without an upgrade on the path of calls, with a target of the greatest length.
            _ = try await Program("curl").run(["-s", server.http + "/cable?" + String(repeating: "x", count: 9000)])
            let lost = try #require(book.lines.first { $0.contains("must pass on Upgrade and Connection") })
            #expect(lost.utf8.count < 1000 && lost.contains("client.address=127.0.0.1"))
            #expect(try server.refusals("handshake") == 1)
            // An upgrade with a path of the same length, which the reason names.
            let upgrade = ["-s", "--max-time", "20", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket"]
            _ = try await Program("curl").run(upgrade + [server.http + "/" + String(repeating: "x", count: 9000)])
            let long = try #require(book.lines.first { $0.contains("takes no calls at") })
            #expect(long.utf8.count < 1000, "\(long.utf8.count) bytes")
        }
    }

    @Test func `wrong passwords are slowed, and the right one still gets in`() async throws {
        // Two may fail at once. One more has its turn after five seconds, and no other waits as long.
        let access = #", "access": {"password": "correct horse"}, "limits": {"failedTriesPerMinute": 12}"#
        try await TestServer.run(more: access) { server in
            let status = ["-s", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}\n", "-u"]
            let wrong = try await Program("curl").run(["-Z"] + status + ["callreel:wrong", server.http + "/?[1-8]"])
            #expect(wrong.text.contains("401") && wrong.text.contains("429"), "\(wrong.text)")
            _ = try await eventually("the right password's turn") {
                try await Program("curl").run(status + ["callreel:correct horse", server.http + "/"]).text == "200\n"
                    ? true : nil
            }
        }
    }

    @Test func `a call's target may be absolute, and may have a slash at its end`() async throws {
        try await TestServer.run { server in
            for target in [
                "http://calls.example.com" + server.target, server.target.replacing("/cable?", with: "/cable/?"),
            ] {
                let found = try await deed("call behind a request", server, target)
                #expect(found["statuses"] == .array([200, 101]) && found["code"] == 1000, "\(found)")
            }
        }
    }

    @Test(arguments: ["{}", TestServer.trusting])
    func `a caller who hears the greeting is still taken while the server ends`(vonage: String) async throws {
        try await TestServer.run(listen: #", "drainTimeout": 60"#, vonage: vonage) { server in
            let ncco = try JSONValue(
                parsing: try await Program("curl").output(["-s", server.http + "/webhooks/answer?uuid=u-1"]))
            let uri = try #require(ncco.elements.last?["endpoint"]?.elements.first?["uri"]?.string)
            await server.shutDown()
            _ = try await eventually("a server that drains") {
                try await Program("curl").run(["-s", "-o", "/dev/null", "-w", "%{http_code}", server.http + "/readyz"])
                    .text == "503" ? true : nil
            }
            let answer = try await Program("curl").run(["-s", "-i", server.http + "/webhooks/answer?uuid=u-2"]).text
            #expect(answer.hasPrefix("HTTP/1.1 503"))
            let hello = JSONValue.string(PythonCall.handshake(16000, #", "uuid": "u-1""#))
            let pcm = server.directory.path + "/speech.pcm"
            try await Speech.pcm().write(to: URL(fileURLWithPath: pcm))
            #expect(try await PythonCall(uri, pcm: pcm, ["handshake": hello]).place().map(\.code) == [1000])
            #expect(try await server.finished()[0].framesReceived == 176_000)
        }
    }
}
