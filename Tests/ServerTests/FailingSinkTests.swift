import CallreelCore
import CallreelSinks
import Foundation
import TestSupport
import Testing

@Suite struct FailingSinkTests {
    private var registry: SinkRegistry {
        var registry = SinkRegistry.builtIn
        registry.register(BrokenSink.self)
        return registry
    }

    private func place(_ entry: String) async throws -> (endings: [PythonCall.Ending], recording: Recording) {
        try await TestServer.run(sinks: #"[{"type": "raw"}, {"type": "broken", \#(entry)}]"#, registry: registry) {
            server in
            let endings = try await PythonCall(
                server.cable, pcm: Speech.path, ["wait": .boolean(!entry.contains("continue"))]
            ).place()
            return (endings, try await server.finished()[0])
        }
    }

    @Test func `a call whose required sink cannot open is closed with 1011, and what came is kept`() async throws {
        let (endings, recording) = try await place(#""required": true, "opens": false"#)
        #expect(endings.map(\.code) == [1011])
        #expect(endings[0].reason == "the call cannot be recorded as required")
        #expect(recording.endReason == "the required sink broken cannot be opened: told not to open")
        #expect(recording.sinks.map(\.state) == [.complete, .failed])
        #expect(recording.sinks[0].written == recording.framesReceived)
    }

    @Test func `a call whose sink fails later is closed with 1011 where that was asked for`() async throws {
        let (endings, recording) = try await place(#""onError": "stopCall""#)
        #expect(endings.map(\.code) == [1011])
        #expect(recording.endReason == "the sink broken failed: told not to write")
        #expect(recording.framesReceived > 0 && recording.sinks[0].written == recording.framesReceived)
    }

    @Test func `another call goes on to its end`() async throws {
        let (endings, recording) = try await place(#""onError": "continue""#)
        #expect(endings.map(\.code) == [1000])
        #expect(recording.endReason == "the carrier closed the call")
        #expect(recording.sinks.map(\.state) == [.complete, .failed])
    }
}

/// A failing sink.
private struct BrokenSink: AudioSink {
    struct Options: Configurable {
        var opens = true

        static let fields: [Field<Self>] = [.boolean("opens", \.opens, "Whether it opens before it fails.")]
    }

    static let type = "broken"
    static let summary = "fails"

    init(options: Options, context: SinkContext) throws(SinkError) {
        // It opens when the server tries it. Otherwise the server would refuse the call at once.
        if !options.opens, context.call.carrier != "probe" { throw SinkError(.open, "told not to open") }
    }

    func write(_ chunk: borrowing PCMChunk) throws(SinkError) { throw SinkError(.write, "told not to write") }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt { SinkReceipt(frames: 0) }
}
