import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelServer

/// Tests each limit with a real server and a hostile client. Afterwards the server must still take a good call.
@Suite(.serialized) struct LimitsTests {
    /// Returns the client's view of one action.
    private func deed(_ name: String, _ server: TestServer, _ number: Int = 0, target: String = "/") async throws
        -> JSONValue
    {
        let arguments = [
            Speech.fixture("hostile_client.py"), name, "127.0.0.1", String(server.address.port), String(number), target,
        ]
        return try JSONValue(parsing: try await Program("python3").output(arguments))
    }

    /// Opens connections without sending a byte. They stay until the program ends.
    private func openMany(_ number: Int, _ server: TestServer) async throws -> (
        program: RunningProgram, found: JSONValue
    ) {
        let arguments = [
            Speech.fixture("hostile_client.py"), "many", "127.0.0.1", String(server.address.port), String(number),
        ]
        let program = try Program("python3").start(arguments)
        let found = try await eventually("\(number) connections") {
            program.text.hasSuffix("\n") ? try JSONValue(parsing: Data(program.text.utf8)) : nil
        }
        return (program, found)
    }

    /// Runs a server with its own limits. After the body, it must still record a good call that was up all the time.
    private func run(_ limits: String, _ body: @Sendable (TestServer) async throws -> Void) async throws {
        try await TestServer.run(
            sinks: #"[{"type": "raw"}]"#, vonage: TestServer.trusting, more: #", "limits": {\#(limits)}"#
        ) { server in
            let pcm = server.directory.path + "/speech.pcm"
            try await Speech.pcm().write(to: URL(fileURLWithPath: pcm))
            let good = try await PythonCall(server.cable, pcm: pcm, rate: 16000, ["hold": true]).start()
            try await body(server)
            good.signal(SIGKILL)
            let recording = try await eventually("the good call") {
                try await server.finished().first { $0.framesReceived == 176_000 }
            }
            #expect(recording.sinks.map(\.lost) == [0])
        }
    }

    @Test func `calls over the limit get 503 at the answer and at the upgrade, and the next one when there is room`()
        async throws
    {
        try await TestServer.run(more: #", "limits": {"calls": 2}"#) { server in
            let calls = [
                try await PythonCall(server.cable, ["hold": true]).start(),
                try await PythonCall(server.cable, ["hold": true]).start(),
            ]
            #expect(try await PythonCall(server.cable).place().map(\.status) == [503])
            let answer = try await Program("curl").run(["-s", "-i", server.http + "/webhooks/answer?uuid=u"]).text
            #expect(answer.hasPrefix("HTTP/1.1 503") && answer.contains("the limit of 2 calls"), "\(answer)")
            #expect(try server.refusals("calls") == 2)
            calls[0].signal(SIGKILL)
            _ = try await server.finished()
            #expect(try await PythonCall(server.cable).place().map(\.code) == [1000])
            calls[1].signal(SIGKILL)
        }
    }

    @Test(arguments: [("address", #""connectionsPerAddress": 20"#), ("connections", #""connections": 20"#)])
    func `connections over the limit get 503, and count no more when they are closed`(reason: String, limit: String)
        async throws
    {
        try await run(limit) { server in
            // One place is the good call's.
            let (program, found) = try await openMany(40, server)
            #expect(found["open"] == 19 && found["refused"] == 21, "\(found)")
            program.signal(SIGKILL)
            _ = try await eventually("room for another connection") {
                try? await Program("curl").output(["-sf", "--max-time", "20", server.http + "/healthz"])
            }
            #expect(try server.refusals(reason) >= 21)
        }
    }

    @Test(arguments: ["slow head", "slow body", "silence"]) func `a request that does not come in time is cut off`(
        name: String
    ) async throws {
        try await run(#""handshakeTimeout": 1"#) { server in
            let found = try await deed(name, server)
            if name != "slow body" { #expect(found["status"] == 408, "\(found)") }
            #expect(found["seconds"]?.double ?? 0 < 10, "\(found)")
            #expect(try server.refusals("handshake_time") == 1)
        }
    }

    @Test(arguments: ["large header", "large target"]) func `a header that is too large is refused`(name: String)
        async throws
    {
        try await run(#""headerBytes": 4096"#) { server in
            for (size, isRefused) in [(3000, false), (5000, true), (3_000_000, true)] {
                let found = try await deed(name, server, size)
                #expect((found["status"] == 431) == isRefused, "\(found)")
            }
            #expect(try server.refusals("header") == 2)
        }
    }

    @Test func `a webhook's body that is too large is refused`() async throws {
        try await run(#""bodyBytes": 2000"#) { server in
            let body = server.directory.path + "/body"
            for (size, status) in [(1900, "204"), (2100, "413"), (5_000_000, "413")] {
                try Data((#"{"a":""# + String(repeating: "x", count: size - 8) + #""}"#).utf8).write(
                    to: URL(fileURLWithPath: body))
                let found = try await Program("curl").run([
                    "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect:", "--data-binary", "@" + body,
                    server.http + "/webhooks/event",
                ])
                #expect(found.text == status)
            }
            #expect(try server.refusals("body") == 2)
        }
    }

    @Test func `messages over the configured sizes end the call with 1009`() async throws {
        try await run(#""textMessageBytes": 2000, "binaryMessageBytes": 3000"#) { server in
            let pcm = server.directory.path + "/speech.pcm"
            let large = try await PythonCall(server.cable, pcm: pcm, ["cuts": .array([3000, 3001]), "wait": true])
                .place()[0]
            #expect(large.code == 1009 && large.reason?.contains("3000 bytes") == true)
            let texts: JSONValue = .array([.array([0, .string(String(repeating: "x", count: 2001))])])
            #expect(try await PythonCall(server.cable, ["texts": texts, "wait": true]).place().map(\.code) == [1009])
            #expect(try server.refusals("message") == 2)
        }
    }

    @Test func `a call that sends no first message is ended in the configured time`() async throws {
        try await run(#""handshakeTimeout": 3"#) { server in
            let ending = try await PythonCall(server.cable, ["handshake": .null, "wait": true]).place()[0]
            #expect(ending.code == 1008 && ending.reason == "no handshake message within 3 seconds")
            #expect(try server.refusals("handshake_time") == 1)
        }
    }

    @Test(arguments: [("pings", "control_flood"), ("pongs", "control_flood"), ("texts", "text_flood")])
    func `a flood of small frames ends the call with 1008`(name: String, reason: String) async throws {
        try await run(#""controlFramesPerSecond": 50, "textMessagesPerSecond": 50, "burstSeconds": 2"#) { server in
            let found = try await deed(name, server, 100_000)
            #expect(found["code"] == 1008 && found["reason"]?.string?.hasPrefix("too many") == true, "\(found)")
            #expect(try server.refusals(reason) == 1)
        }
    }

    @Test func `a call of the longest allowed time ends politely, and its recording is whole`() async throws {
        try await TestServer.run(vonage: TestServer.trusting, more: #", "limits": {"callLength": 1}"#) { server in
            let found = try await deed("long call", server)
            #expect(found["code"] == 1008 && found["reason"] == "no call may last longer than 1 second", "\(found)")
            let recording = try await server.finished()[0]
            #expect(recording.endReason == "the call reached the longest time allowed, 1 second")
            #expect(
                recording.framesReceived == 800 && recording.sinks.map(\.state) == [.complete, .complete, .complete])
            #expect(try server.refusals("call_length") == 1)
        }
    }

    @Test func `a client that does not read what it asked for is closed`() async throws {
        try await run(#""slowReaderTimeout": 1, "handshakeTimeout": 60"#) { server in
            // Larger than the system's buffers.
            let found = try await deed("unread file", server, target: try await server.largeFile(64 << 20))
            #expect(found["seconds"]?.double ?? 30 < 20, "\(found)")
            #expect(try server.refusals("slow_reader") == 1)
        }
    }

    @Test func `a manifest keeps as many events as it may, and counts the others`() async throws {
        try await TestServer.run(more: #", "limits": {"events": 3}"#) { server in
            let texts = JSONValue.array((0..<8).map { .array([0, .string(#"{"digit":"\#($0)"}"#)]) })
            _ = try await PythonCall(server.cable, ["texts": texts]).place()
            let recording = try await server.finished()[0]
            #expect(recording.events.count == 3 && recording.droppedEvents == 5)
        }
    }
}
