import CallreelArchive
import CallreelCore
import CallreelEngine
import CallreelSinks
import Foundation
import Logging
import Testing

/// The framework's part of a sink entry, checked by the files of built-in sinks.
@Suite struct EnvelopeTests {
    /// Records the samples with these entries, and returns the manifest.
    private func record(_ samples: [Int16], _ format: AudioFormat, _ sinks: String, in workspace: Workspace)
        async throws -> Recording
    {
        var problems: [ConfigurationProblem] = []
        let plans = SinkPlan.read(
            try JSONValue(parsing: Data(sinks.utf8)), at: .root, registry: .builtIn, formats: [format],
            problems: &problems
        )
        try #require(problems.isEmpty, "\(problems)")
        let store = RecordingStore(directory: workspace.path, template: try NameTemplate("call-{part}"))
        try store.prepare()
        let recorder = Recorder(
            store: store, settings: RecorderSettings(sinks: plans), registry: .builtIn,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let call = recorder.begin(CallStart(CallFacts(carrier: "test"), format: format), source: IdleSource())
        let session = call.session
        for start in stride(from: 0, to: samples.count, by: 1600) {
            _ = session.receive(Array(samples[start..<min(start + 1600, samples.count)]))
        }
        session.end("over")
        return try await call.result.value.get()
    }

    private func verify(_ recording: Recording, _ workspace: Workspace) -> [String] {
        Verification(directory: workspace.path, registry: .builtIn).check(recording).problems.map(\.description)
    }

    @Test func `the parts of every format joined are the call, each opens by itself, and verification agrees`()
        async throws
    {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 8000)
        let samples = testSignal(frames: 20_123, format)
        let recording = try await record(
            samples, format,
            #"[{"type": "wav", "partLength": 1}, {"type": "flac", "partLength": 1}, {"type": "raw", "partLength": 1}]"#,
            in: workspace)
        #expect(recording.sinks.map(\.state) == [.complete, .complete, .complete])
        #expect(recording.sinks.map { $0.files.map(\.frames) } == Array(repeating: [8000, 8000, 4123], count: 3))
        #expect(recording.sinks[1].files.map(\.name) == ["call-1.flac", "call-2.flac", "call-3.flac"])
        let parts = { (sink: Int) in recording.sinks[sink].files.map { workspace.file($0.name) } }
        expectSame(try parts(0).flatMap { try Tool.pythonWave($0) }, samples, "wav")
        expectSame(try parts(1).flatMap { try Tool.flac($0) }, samples, "flac")
        expectSame(try parts(2).flatMap { try Tool.samples(ofRawFile: $0) }, samples, "raw")
        #expect(verify(recording, workspace) == [])
    }

    @Test(arguments: [(16000, 1, 8000, 2), (8000, 2, 16000, 1), (16000, 1, 44100, 1)])
    func `a sink gets the rate and the channels that it asks for`(
        rate: Int, channels: Int, wantedRate: Int, wantedChannels: Int
    ) async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: rate, channels: channels)
        // A quarter of full scale at 400 Hz, the same in both channels, so that mixing changes nothing.
        let frames = rate * 2 + 77
        let samples = (0..<frames).flatMap { frame in
            [Int16](repeating: Int16(8192 * sin(Double(frame) * 2 * .pi * 400 / Double(rate))), count: channels)
        }
        let recording = try await record(
            samples, format,
            #"[{"type": "wav"}, {"type": "wav", "sampleRate": \#(wantedRate), "channels": \#(wantedChannels), "partLength": 1}]"#,
            in: workspace)
        let sink = recording.sinks[1]
        #expect(recording.sinks.map(\.state) == [.complete, .complete])
        #expect(sink.format == AudioFormat(sampleRate: wantedRate, channels: wantedChannels))
        #expect(sink.written == frames)
        #expect(sink.files.first?.frames == wantedRate)
        var heard: [Int16] = []
        for file in sink.files {
            #expect(try Tool.soxi("-r", workspace.file(file.name)) == "\(wantedRate)")
            #expect(try Tool.soxi("-c", workspace.file(file.name)) == "\(wantedChannels)")
            heard += try Tool.sox(workspace.file(file.name))
        }
        let expected = Double(frames) * Double(wantedRate) / Double(rate)
        #expect(abs(Double(heard.count / wantedChannels) - expected) <= 1)
        // The tone keeps its place across the borders of parts, apart from the filter's ringing at both ends.
        let inner = wantedRate / 20..<heard.count / wantedChannels - wantedRate / 20
        let error =
            inner.map { frame -> Double in
                let angle = Double(frame) * 2 * .pi * 400 / Double(wantedRate)
                let sample = Double(heard[frame * wantedChannels])
                return abs(sample - 8192 * sin(angle))
            }.max() ?? 0
        #expect(error < 40, "the worst sample is off by \(error)")
        #expect(verify(recording, workspace) == [])
    }
}
