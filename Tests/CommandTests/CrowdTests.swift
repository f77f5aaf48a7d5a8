import CallreelCore
import Foundation
import TestSupport
import Testing

/// Many connections to a server process that has all its descriptors to itself.
@Suite struct CrowdTests {
    @Test func `two thousand connections that say nothing do not stop a good call`() async throws {
        let server = try await RunningServer()
        let port = try #require(server.url.split(separator: ":").last)
        let many = try Program("python3").start([
            Speech.fixture("hostile_client.py"), "many", "127.0.0.1", String(port), "1900",
        ])
        let found = try await eventually("many connections") {
            many.text.hasSuffix("\n") ? try JSONValue(parsing: Data(many.text.utf8)) : nil
        }
        #expect(found["open"] == 1900 && found["refused"] == 0, "\(found)")
        // Beside all other tests, a machine with two cores may be late for a caller's own patience.
        var call: Program.Result, attempts = 0
        repeat {
            call = try await Program.callreel.run([
                "call", Speech.path, "--to", server.url + "/webhooks/answer", "--speed", "max",
            ])
            attempts += 1
        } while call.errors.contains("no answer in time") && attempts < 5
        #expect(call.status == 0, "\(call.errors)")
        many.signal(SIGKILL)
        let recording = try await server.finished(1)[0]
        #expect(recording.framesReceived == 176_000 && recording.sinks.map(\.lost) == [0, 0, 0])
    }
}
