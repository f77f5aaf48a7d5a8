import CallreelCore
import Foundation
import Testing

@Suite struct AudioFormatTests {
    @Test func `seconds become frames, rounded to the nearest`() {
        let format = AudioFormat(sampleRate: 16000, channels: 2)
        #expect(format.frames(seconds: 30) == 480_000)
        #expect(format.frames(seconds: 0.02) == 320)
        #expect(format.frames(seconds: 1.0 / 3) == 5333)
        #expect(format.frames(seconds: 2.0 / 3) == 10667)
        #expect(format.frames(seconds: 0) == 0)
    }

    @Test func `frames become seconds, whatever the channels`() {
        #expect(AudioFormat(sampleRate: 8000, channels: 2).seconds(frames: 12000) == 1.5)
        #expect(AudioFormat(sampleRate: 24000).seconds(frames: 24) == 0.001)
    }

    @Test(arguments: AudioFormat.supportedSampleRates)
    func `frames survive the way through seconds`(rate: Int) {
        let format = AudioFormat(sampleRate: rate)
        for frames in [0, 1, 159, 160, 44_101, 86_400 * rate + 7] {
            #expect(format.frames(seconds: format.seconds(frames: frames)) == frames)
        }
    }

    @Test func `a frame has two bytes for each channel`() {
        #expect(AudioFormat(sampleRate: 8000).bytesPerFrame == 2)
        #expect(AudioFormat(sampleRate: 8000, channels: 2).bytesPerFrame == 4)
    }

    @Test func `a format reads as words`() {
        #expect("\(AudioFormat(sampleRate: 16000))" == "16000 Hz, 1 channel")
        #expect("\(AudioFormat(sampleRate: 24000, channels: 2))" == "24000 Hz, 2 channels")
    }

    @Test func `a format without channels or rate is a programming error`() async {
        await #expect(processExitsWith: .failure) { _ = AudioFormat(sampleRate: 8000, channels: 0) }
        await #expect(processExitsWith: .failure) { _ = AudioFormat(sampleRate: 0) }
    }
}

@Suite struct PCMChunkTests {
    @Test func `a chunk ends where the next one begins`() {
        let chunk = PCMChunk(
            samples: [1, 2, 3, 4, 5, 6], format: AudioFormat(sampleRate: 8000, channels: 2), start: FramePosition(40))
        #expect(chunk.frameCount == 3)
        #expect(chunk.end == FramePosition(43))
    }

    @Test func `a chunk lends the samples that it was given`() throws {
        let chunk = PCMChunk(samples: [.min, 0, .max], format: AudioFormat(sampleRate: 8000), start: .start)
        #expect(chunk.withSamples { span in span.indices.map { span[$0] } } == [.min, 0, .max])
    }

    @Test func `an error passes through the loan of samples as what it is`() {
        let chunk = PCMChunk(samples: [1], format: AudioFormat(sampleRate: 8000), start: .start)
        #expect(throws: SinkError.self) {
            try chunk.withSamples { (_: Span<Int16>) throws(SinkError) in throw SinkError(.write, "no") }
        }
    }

    @Test func `silence has so many frames of zeros on every channel`() {
        let chunk = PCMChunk.silence(
            frames: 5, format: AudioFormat(sampleRate: 8000, channels: 2), start: FramePosition(7))
        #expect(chunk.frameCount == 5)
        #expect(chunk.start == FramePosition(7))
        #expect(chunk.withSamples { span in span.indices.map { span[$0] } } == [Int16](repeating: 0, count: 10))
    }

    @Test func `half a frame is a programming error`() async {
        await #expect(processExitsWith: .failure) {
            _ = PCMChunk(samples: [1, 2, 3], format: AudioFormat(sampleRate: 8000, channels: 2), start: .start)
        }
    }

    @Test func `positions are ordered, and are plain numbers in JSON`() throws {
        #expect(FramePosition(3) < FramePosition(4))
        #expect(FramePosition.start + 12 == FramePosition(12))
        #expect(String(decoding: try JSONEncoder().encode([FramePosition(12)]), as: UTF8.self) == "[12]")
        #expect(try JSONDecoder().decode([FramePosition].self, from: Data("[12]".utf8)) == [FramePosition(12)])
    }
}
