import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// The framework compares a sink's stated frames with the frames it was given.
@Suite struct MiscountTests {
    @Test(arguments: [(-100, 100), (7, 0), (-5000, 800)])
    func `a receipt that does not have the frames that the sink was given is the sink's error`(wrong: Int, lost: Int)
        async throws
    {
        let bench = try CallBench([(Probe(), #"{"name": "wrong", "miscounts": \#(wrong)}"#), (Probe(), "{}")])
        bench.receive(800)
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        let sink = recording.sinks[0]
        #expect(recording.sinks.map(\.state) == [.failed, .complete])
        #expect(sink.blame == .bug)
        #expect(sink.error == "its receipt has \(800 + wrong) frames, but it was given 800")
        #expect(sink.lost == lost && sink.ranges?.lost?.ranges ?? [] == (lost == 0 ? [] : [800 - lost..<800]))
        #expect(bench.log.values.contains("sink miscounted its frames"))
        // Its file is published all the same.
        #expect(try bench.samples(sink.files[0]) == ramp(0..<800))
    }

    @Test func `a sink that miscounts goes on, part after part`() async throws {
        let bench = try CallBench([(Probe(), #"{"miscounts": -1, "partLength": 1, "onError": "stopCall"}"#)])
        bench.receive(20_000)
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.endReason == "over")
        #expect(recording.sinks[0].files.count == 3 && recording.sinks[0].state == .failed)
        #expect(recording.sinks[0].ranges?.lost?.ranges == [7999..<8000, 15_999..<16_000, 19_999..<20_000])
    }

    @Test(arguments: [
        (["call.pcm": 900], "frames for call.pcm"), (["call.pcm": -1], "-1 frames for call.pcm"),
        (["other.pcm": 10], "which it did not create"),
        (["call.pcm": 10], "10 frames for its files"), (["call.pcm": Int.max], "\(Int.max) frames for call.pcm"),
    ])
    func `frames of files are held against it too`(frames: [String: Int], words: String) throws {
        let workspace = try Workspace(), context = workspace.context()
        _ = try context.createFile("pcm")
        var part = SinkPart(context: context, begin: 5)
        part.frames = 800
        let wrong = part.miscount(SinkReceipt(frames: 800, framesByFile: frames))
        #expect(wrong?.error.description.contains(words) == true, "\(String(describing: wrong))")
        #expect(wrong?.error.blame == .bug)
        #expect(part.miscount(SinkReceipt(frames: 800, framesByFile: ["call.pcm": 800])) == nil)
        #expect(part.miscount(SinkReceipt(frames: 800)) == nil)
        // The number taken as held lies between zero and all given frames.
        for (stated, held) in [(900, 800), (-7, 0), (300, 300)] {
            #expect(part.miscount(SinkReceipt(frames: stated))?.held == held)
        }
    }
}
