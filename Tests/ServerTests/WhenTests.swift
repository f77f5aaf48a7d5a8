import CallreelCore
import Foundation
import TestSupport
import Testing

/// Entries that want some calls only.
@Suite struct WhenTests {
    /// Sinks for calls to London, from anywhere but a hotel, and of the sales department.
    private let sinks = #"""
        [{"type": "wav", "when": {"to": ["+4420*"]}}, {"type": "raw", "when": {"not": {"from": ["+331*"]}}},
         {"type": "flac", "required": true, "when": {"header.department": ["sales"]}}]
        """#

    private func call(_ server: TestServer, _ facts: String) async throws -> PythonCall.Ending? {
        let call = PythonCall.handshake(16000, facts)
        return try await PythonCall(server.cable, pcm: Speech.path, ["handshake": .string(call)]).place().first
    }

    @Test func `each entry gets the calls that it wants, and the manifest names the others with the key`() async throws
    {
        let more = #"""
            , "deliveries": [{"type": "exec", "command": ["/bin/true"], "when": {"from": ["+1*"]}}]
            """#
        try await TestServer.run(sinks: sinks, more: more) { server in
            _ = try await call(server, #", "from": "33100", "to": "442079460000""#)
            let recording = try #require(try await server.finished().first)
            #expect(recording.sinks.map(\.name) == ["wav"] && recording.sinks[0].state == .complete)
            #expect(recording.deliveries == nil)
            let skipped = try #require(recording.skippedEntries)
            #expect(skipped.map(\.skipped) == ["when.not", "when.header.department", "when.from"])
            #expect(skipped.map(\.name) == ["raw", "flac", "exec"])
            #expect(skipped.map(\.family) == [.sinks, .sinks, .deliveries])
            let text = try String(contentsOfFile: server.recordings + "/\(recording.name).json", encoding: .utf8)
            #expect(text.contains(#""skipped" : "when.header.department""#), "\(text)")
        }
    }

    @Test func `a call that no entry wants goes on and is only counted`() async throws {
        let none = #"[{"type": "wav", "when": {"to": ["+49*"]}}, {"type": "flac", "when": {"from": ["+49*"]}}]"#
        let book = LogBook()
        try await TestServer.run(sinks: none, logger: book.logger) { server in
            let ending = try await call(server, #", "from": "33100", "to": "442079460000""#)
            #expect(ending?.code == 1000)
            // The next call is wanted.
            _ = try await call(server, #", "from": "33100", "to": "49301234""#)
            let recordings = try await server.finished()
            #expect(recordings.map(\.call.to) == ["49301234"])
            #expect(recordings[0].sinks.map(\.name) == ["wav"])
            #expect(server.metrics().contains("callreel_calls_unwanted_total 1"))
            #expect(server.metrics().contains("callreel_calls_started_total 1"))
        }
        let line = try #require(book.lines.first { $0.hasPrefix("call not recorded") })
        #expect(line.contains("no sink wants it: wav (when.to), flac (when.from)"), "\(line)")
    }

    @Test func `a call that no entry wants is refused if the configuration says so`() async throws {
        let none = #"[{"type": "wav", "when": {"to": ["+49*"]}}]"#
        let directory = TemporaryDirectory()
        let more =
            #", "recordings": {"directory": "\#(directory.path)/recordings", "unwantedCalls": "refuse"}"#
        try await TestServer.run(sinks: none, more: more, in: directory) { server in
            let ending = try await call(server, #", "from": "33100", "to": "442079460000""#)
            #expect(ending?.code == 1008 && ending?.reason == "no sink wants it: wav (when.to)")
            #expect(server.metrics().contains("callreel_calls_unwanted_total 1"))
            _ = try await call(server, #", "to": "49301234""#)
            #expect(try await server.finished().map(\.call.to) == ["49301234"])
        }
    }

    @Test func `the facts of the answer webhook count, though the call's audio does not bring them`() async throws {
        let one = #"[{"type": "wav", "when": {"to": ["+49*"]}}]"#
        try await TestServer.run(sinks: one, vonage: TestServer.trusting) { server in
            let answer = "\(server.http)/webhooks/answer?uuid=U7&from=33100&to=49301234&conversation_uuid=C7"
            #expect(try await Program("curl").run(["-sf", answer]).status == 0)
            _ = try await call(server, #", "uuid": "U7""#)
            #expect(try await server.finished().map(\.call.to) == ["49301234"])
        }
    }
}
