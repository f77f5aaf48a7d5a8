import CallreelCore
import CallreelSinks
import Foundation
import Logging

/// A temporary directory for the sinks of a measurement.
final class SinkRoom {
    let path: String
    private var count = 0

    /// Makes the directory. It is removed with this object.
    init() throws {
        path = NSTemporaryDirectory() + "/callreel-micro-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Makes the context of a call for a sink, as the framework does.
    func context() -> SinkContext {
        count += 1
        return SinkContext(
            recording: RecordingFacts(
                id: RecordingID(), call: CallFacts(carrier: "micro", from: "447700900123"), startedAt: Date()),
            format: SinkRoom.format, sinkName: "micro",
            directory: SinkDirectory(path: path, fileStem: "call-\(count)"),
            logger: Logger(label: "micro") { _ in SwiftLogNoOpLogHandler() })
    }

    /// The carriers' higher rate, used by all measurements.
    static let format = AudioFormat(sampleRate: 16000)

    /// Removes the sinks' files: a measurement of an hour's audio takes 115 MB.
    func clear() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            try? FileManager.default.removeItem(atPath: path + "/" + name)
        }
    }
}

/// Makes audio that is work for a codec: a hum, its overtones and some noise, rising and falling like syllables.
func speechlike(frames: Int) -> [Int16] {
    var random: UInt64 = 20
    return (0..<frames).map { index in
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let time = Double(index) / 16000
        let noise = Double(random >> 40) / Double(1 << 24) - 0.5
        let voice = (1...8).reduce(0.0) { $0 + sin(2 * .pi * 120 * Double($1) * time) / Double($1) }
        let loudness = pow(abs(sin(2 * .pi * 2 * time)), 2)
        return Int16(max(-32768, min(32767, 6000 * loudness * (voice + 0.2 * noise))))
    }
}

/// Makes audio in chunks, each as large as one read in 200 ms.
func chunks(count: Int, frames: Int) -> [PCMChunk] {
    let samples = speechlike(frames: count * frames)
    return (0..<count).map { index in
        PCMChunk(
            samples: Array(samples[index * frames..<(index + 1) * frames]), format: SinkRoom.format,
            start: FramePosition(index * frames))
    }
}

/// Measures a sink's `write` alone, in CPU nanoseconds for 20 ms.
///
/// The result has nine instances. Opening and finishing them is not measured.
func writing<Sink: AudioSink & ~Copyable>(
    _ chunks: [PCMChunk], in room: SinkRoom, with make: (SinkContext) throws -> Sink
) async throws -> [Double] {
    let frames = chunks.reduce(0) { $0 + $1.frameCount } / 320
    var samples: [Double] = []
    for _ in 0..<9 {
        var sink = try make(room.context())
        let begin = Stopwatch.now()
        for chunk in chunks { try await sink.write(chunk) }
        samples.append((Stopwatch.now() - begin) / Double(frames))
        _ = try await sink.finish()
        room.clear()
    }
    return samples
}
