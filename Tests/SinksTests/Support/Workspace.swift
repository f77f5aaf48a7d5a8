import CallreelCore
import CallreelSinks
import Foundation
import Logging
import TestSupport
import Testing

/// A test's own directory. It is removed with this object.
final class Workspace {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("callreel-sinks-" + UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Makes the context of a call for a sink, with files called `call` in this directory.
    func context(
        _ format: AudioFormat, call: CallFacts = Workspace.call, mode: Int = 0o640, stem: String = "call"
    ) -> SinkContext {
        SinkContext(
            recording: RecordingFacts(
                id: Workspace.id, call: call, startedAt: Date(timeIntervalSince1970: 1_795_342_500)),
            format: format, sinkName: "test",
            directory: SinkDirectory(path: path, fileStem: stem, fileMode: mode), logger: Logger(label: "test"))
    }

    /// Returns the path of a file in this directory.
    func file(_ name: String) -> String { path + "/" + name }

    /// Copies a file as it stands now, as a killed process would leave it.
    func copy(_ name: String) throws -> String {
        let copy = file("copy-" + name)
        try FileManager.default.copyItem(atPath: file(name), toPath: copy)
        return copy
    }

    static let id = RecordingID("63f61863a1b2c3d4e5f60718293a4b5c")!
    static let call = CallFacts(
        carrier: "vonage", from: "447700900123", to: "441632960000", uuid: "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
        conversation: "CON-7d9b2c31-1f0e-4a35-9f64-5b7e27f0a111")
}

/// Makes repeatable audio: a tone with noise on it, different in each channel, with both extremes in it.
func testSignal(frames: Int, _ format: AudioFormat) -> [Int16] {
    var state: UInt64 = 0x2545_F491_4F6C_DD1D
    var samples: [Int16] = []
    samples.reserveCapacity(frames * format.channels)
    for frame in 0..<frames {
        for channel in 0..<format.channels {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let noise = Double(Int16(truncatingIfNeeded: state >> 40)) / 16
            let tone = sin(Double(frame) * 2 * .pi * 440 * Double(channel + 1) / Double(format.sampleRate)) * 12000
            samples.append(frame % 4001 == 1 ? (channel == 0 ? .min : .max) : Int16(tone + noise))
        }
    }
    return samples
}

/// Returns chunks of at most so many frames, as a call would bring them.
func chunks(_ samples: [Int16], _ format: AudioFormat, frames: Int = 320) -> [PCMChunk] {
    stride(from: 0, to: samples.count, by: frames * format.channels).map { start in
        PCMChunk(
            samples: Array(samples[start..<min(start + frames * format.channels, samples.count)]), format: format,
            start: FramePosition(start / format.channels))
    }
}

/// Runs a sink from its opening to its receipt, without checkpoints.
func record<Sink: AudioSink & ~Copyable>(
    _: Sink.Type, _ samples: [Int16], _ context: SinkContext, options: Sink.Options = .init(), chunkFrames: Int = 320
) async throws(SinkError) -> SinkReceipt {
    var sink = try await Sink(options: options, context: context)
    for chunk in chunks(samples, context.format, frames: chunkFrames) { try await sink.write(chunk) }
    return try await sink.finish(.hangup)
}

/// A recording of real speech, 16 kHz and mono.
let speechPath = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
    .appendingPathComponent("Fixtures/jfk.wav").path

/// Asks for a checkpoint as the framework does, through the protocol.
func checkpoint<Sink: AudioSink & ~Copyable>(_ sink: inout Sink) async throws(SinkError) { try await sink.checkpoint() }

/// Expects the same samples, and reports only the first difference. `#expect(a == b)` would print them all.
func expectSame(
    _ heard: [Int16], _ expected: [Int16], _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
    let difference = zip(heard, expected).enumerated().first { $1.0 != $1.1 }
    if let (index, (found, wanted)) = difference {
        Issue.record("\(what): sample \(index) is \(found), not \(wanted)", sourceLocation: sourceLocation)
    }
    #expect(heard.count == expected.count, "\(what)", sourceLocation: sourceLocation)
}
