import CallreelCore
import CallreelTesting
import Foundation
import Logging
import Synchronization
import Testing

@testable import Recorder

@Suite struct VoiceActivityTests {
    private static let format = AudioFormat(sampleRate: 8000, channels: 2)

    /// An event that the sink has emitted.
    private struct Event: Hashable {
        var type: String
        var frame: Int
        var data: [String: JSONValue]
    }

    private final class Events: Sendable {
        let list = Mutex<[Event]>([])
    }

    @Test func `the detector keeps the sink contract`() async throws {
        var nervous = VoiceActivityOptions()
        nervous.threshold = 3
        nervous.onset = 0.02
        nervous.hangover = 0.02
        try await requireSinkContract(VoiceActivity.self, options: VoiceActivityOptions(), nervous)
    }

    @Test func `stretches are found in their channels, to a window`() throws {
        let events = try run(Self.chunks(Self.call(), of: [160]))
        for (channel, stretches) in [(0, [8000..<16000, 24000..<28000]), (1, [20000..<30000])] {
            let ends = events.filter { $0.type == "speechEnded" && $0.data["channel"] == .integer(channel) }
            #expect(ends.count == stretches.count)
            for (end, stretch) in zip(ends, stretches) {
                let began = try #require(end.data["began"])
                #expect(events.contains { $0.type == "speechBegan" && .integer($0.frame) == began })
                #expect(abs(end.frame - stretch.upperBound) <= 160)
                guard case .integer(let frame) = began else { continue }
                #expect(abs(frame - stretch.lowerBound) <= 160)
            }
        }
    }

    @Test func `the chunks change nothing`() throws {
        let call = Self.call()
        let wanted = try run(Self.chunks(call, of: [160]))
        #expect(wanted.count == 6)
        for lengths in [[1], [7, 1, 333], [1600], [40000]] {
            #expect(try run(Self.chunks(call, of: lengths)) == wanted)
        }
    }

    @Test(arguments: [PCMChunk.Origin.silence, .masked])
    func `audio that is not the call's ends a stretch and is no noise`(origin: PCMChunk.Origin) throws {
        var chunks = Self.chunks(Self.call(), of: [8000, 4000, 4000, 40000])
        chunks[2] = .silence(frames: 4000, format: Self.format, start: FramePosition(12000), origin: origin)
        let events = try run(chunks).filter { $0.data["channel"] == .integer(0) }
        #expect(events.map(\.type) == ["speechBegan", "speechEnded", "speechBegan", "speechEnded"])
        #expect(events[1].frame == 12000)
    }

    @Test func `a constant offset is no speech`() {
        var detector = SpeechDetector(VoiceActivityOptions(), format: Self.format, at: 0)
        let changes = (0..<8000).compactMap { detector.add(Int16(truncatingIfNeeded: $0 % 3) + ($0 < 4000 ? 0 : 9000)) }
        #expect(changes.isEmpty)
    }

    @Test func `the noise floor follows the noise`() {
        var floor = NoiseFloor()
        for _ in 0..<10 { floor.add(-60) }
        #expect(floor.level == -60)
        for _ in 0..<190 { floor.add(-30) }
        #expect(floor.level == -60)
        for _ in 0..<25 { floor.add(-30) }
        #expect(floor.level == -30)
    }

    /// A call of five seconds with soft noise, and with loud noise in some stretches of its channels.
    private static func call() -> [Int16] {
        var state: UInt32 = 1
        func noise(_ level: Int) -> Int16 {
            state = state &* 1_664_525 &+ 1_013_904_223
            return Int16(Int(state >> 16) % (2 * level + 1) - level)
        }
        return (0..<40000).flatMap { frame -> [Int16] in
            let isLoud = [8000..<16000, 24000..<28000].contains { $0.contains(frame) }, isOther = 20000..<30000 ~= frame
            return [isLoud, isOther].map { noise($0 ? 9000 : 100) }
        }
    }

    /// Cuts samples into chunks of these lengths in frames, repeated in turn.
    private static func chunks(_ samples: [Int16], of lengths: [Int]) -> [PCMChunk] {
        var chunks: [PCMChunk] = [], start = 0
        let frames = samples.count / format.channels
        while start < frames {
            let end = min(start + lengths[chunks.count % lengths.count], frames)
            let piece = Array(samples[start * format.channels..<end * format.channels])
            chunks.append(PCMChunk(samples: piece, format: format, start: FramePosition(start)))
            start = end
        }
        return chunks
    }

    /// Gives chunks to a sink, and returns the events that it emits.
    private func run(_ chunks: [PCMChunk]) throws -> [Event] {
        let events = Events()
        var observer = SinkObserver()
        observer.onEvent = { type, frame, data in
            events.list.withLock { $0.append(Event(type: type, frame: frame.frames, data: data)) }
        }
        let context = SinkContext(
            recording: RecordingFacts(id: RecordingID(), call: CallFacts(carrier: "test"), startedAt: Date()),
            format: Self.format, sinkName: "voiceActivity", directory: SinkDirectory(path: "/", fileStem: "none"),
            logger: Logger(label: "test"), observer: observer)
        var sink = VoiceActivity(options: VoiceActivityOptions(), context: context)
        for chunk in chunks { sink.write(chunk) }
        let frames = chunks.last?.end.frames ?? 0
        #expect(sink.finish(CallEnd(reason: "the call ended", frames: frames)).frames == frames)
        return events.list.withLock { $0 }
    }
}
