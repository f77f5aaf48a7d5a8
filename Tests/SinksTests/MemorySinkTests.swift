import CallreelCore
import CallreelSinks
import Foundation
import Logging
import TestSupport
import Testing

/// The audio kept in memory, and its limits.
@Suite struct MemorySinkTests {
    private let format = AudioFormat(sampleRate: 8000, channels: 2)
    private let label = UUID().uuidString

    private func options(calls: Int = 10, seconds: Int = 600) -> MemoryOptions {
        var options = MemoryOptions()
        options.label = label
        options.calls = calls
        options.seconds = seconds
        return options
    }

    /// Makes the context of a call for a sink.
    private func context(_ id: RecordingID = RecordingID()) -> SinkContext {
        SinkContext(
            recording: RecordingFacts(id: id, call: Workspace.call, startedAt: Date()), format: format,
            sinkName: "memory", directory: SinkDirectory(path: "/nowhere", fileStem: "call"),
            logger: Logger(label: "test"))
    }

    @Test func `a test finds what was recorded, also while the call runs`() async throws {
        let samples = testSignal(frames: 5000, format), id = RecordingID()
        var sink = try MemorySink(options: options(), context: context(id))
        let pieces = chunks(samples, format)
        for piece in pieces[..<4] { try sink.write(piece) }
        var found = MemorySink.recordings(label: label)
        #expect(found.count == 1 && found[0].frameCount == 1280 && !found[0].isFinished)
        for piece in pieces[4...] { try sink.write(piece) }
        let receipt = sink.finish(.hangup)
        #expect(receipt.frames == 5000 && receipt.details["label"] == .string(label))
        found = MemorySink.recordings(label: label)
        #expect(
            found.count == 1 && found[0].id == id && found[0].call == Workspace.call && found[0].format == format
                && found[0].isFinished)
        expectSame(found[0].samples, samples)
        #expect(MemorySink.recordings(label: "another").isEmpty)
        MemorySink.forgetRecordings(label: label)
        #expect(MemorySink.recordings(label: label).isEmpty)
    }

    @Test func `a call that is too long fails at the first chunk beyond, and keeps what it has`() async throws {
        let samples = testSignal(frames: 8001, format)
        do {
            var sink = try MemorySink(options: options(seconds: 1), context: context())
            for piece in chunks(Array(samples.dropLast(2)), format) { try sink.write(piece) }
            let error = #expect(throws: SinkError.self) {
                try sink.write(PCMChunk(samples: [1, 2], format: format, start: FramePosition(8000)))
            }
            #expect(
                error?.description == "holds 8000 frames of the call; 1 more would exceed its limit of 8000")
            #expect(error?.blame == .options && error?.code == .write)
        }
        let found = MemorySink.recordings(label: label)
        #expect(found.count == 1 && !found[0].isFinished)
        expectSame(found[0].samples, Array(samples.dropLast(2)))
    }

    @Test func `a further call takes the place of the oldest that is over, and none that runs`() async throws {
        let ids = (0..<4).map { _ in RecordingID() }
        _ = try await record(MemorySink.self, [1, 1], context(ids[0]), options: options(calls: 2))
        var running = try MemorySink(options: options(calls: 2), context: context(ids[1]))
        try running.write(PCMChunk(samples: [2, 2], format: format, start: FramePosition(0)))
        var third = try MemorySink(options: options(calls: 2), context: context(ids[2]))
        #expect(MemorySink.recordings(label: label).map(\.id) == [ids[1], ids[2]])
        let error = #expect(throws: SinkError.self) {
            _ = try MemorySink(options: options(calls: 2), context: context(ids[3]))
        }
        #expect(error?.description.contains("is at its limit of 2 calls being recorded") == true)
        MemorySink.forgetRecordings(label: label)
        #expect(MemorySink.recordings(label: label).map(\.id) == [ids[1], ids[2]])
        try third.write(PCMChunk(samples: [3, 3], format: format, start: FramePosition(0)))
        #expect(running.finish(.hangup).frames == 1)
        _ = third.finish(.hangup)
        _ = try await record(MemorySink.self, [4, 4], context(ids[3]), options: options(calls: 2))
        #expect(MemorySink.recordings(label: label).map(\.samples) == [[3, 3], [4, 4]])
    }

    @Test func `a sink that is only opened leaves nothing`() throws {
        do { _ = try MemorySink(options: options(), context: context()) }
        #expect(MemorySink.recordings(label: label).isEmpty)
    }

    @Test func `a sink for nothing counts, and makes no file`() async throws {
        let workspace = try Workspace(), context = workspace.context(format)
        let receipt = try await record(NullSink.self, testSignal(frames: 5001, format), context)
        #expect(receipt.frames == 5001 && receipt.framesByFile.isEmpty && receipt.details.isEmpty)
        #expect(context.createdFiles.isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: workspace.path).isEmpty)
        #expect(try NullSink.decode("any", format: format) { _ in } == nil)
    }
}
