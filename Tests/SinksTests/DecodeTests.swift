import CallreelCore
import Foundation
import Testing

@testable import CallreelSinks

/// Decodes healthy files and damaged ones.
@Suite struct DecodeTests {
    private let format = AudioFormat(sampleRate: 16000, channels: 2)

    @Test(arguments: RepairTests.sinks, [AudioFormat(sampleRate: 8000), AudioFormat(sampleRate: 24000, channels: 2)])
    func `a healthy file gives the call's own samples, or says that it cannot`(
        sink: RepairableSink, format: AudioFormat
    ) async throws {
        let workspace = try Workspace()
        let isLossless = !sink.testDescription.hasSuffix("law")
        for frames in [0, 1, 575, 16_385, 40_000] {
            let samples = testSignal(frames: frames, format)
            let path = try workspace.write(try await sink.finished(samples, format), sink.name)
            let (heard, file) = try sink.decode(path, format)
            #expect(file == DecodedFile(frames: frames, isLossless: isLossless))
            if isLossless { expectSame(heard, samples) } else { #expect(heard.count == samples.count) }
        }
    }

    @Test(arguments: RepairTests.sinks)
    func `every 16-bit sample comes back from an encoding that is called lossless`(sink: RepairableSink) async throws {
        let workspace = try Workspace()
        let all = (Int16.min ... .max).map { $0 }
        let path = try workspace.write(try await sink.finished(all, AudioFormat(sampleRate: 16000)), sink.name)
        let (heard, file) = try sink.decode(path, AudioFormat(sampleRate: 16000))
        #expect((heard == all) == file?.isLossless)
    }

    @Test(arguments: RepairTests.sinks)
    func `a repaired file decodes to what was there`(sink: RepairableSink) async throws {
        let workspace = try Workspace()
        let samples = testSignal(frames: 5001, format)
        let path = try workspace.write(try await sink.killed(samples, format, 0.5).dropLast(1), sink.name)
        let frames = try #require(try repaired(sink, path, format)).frames
        let (heard, file) = try sink.decode(path, format)
        #expect(file?.frames == frames && frames >= 5000 - 2 * 1152)
        if file?.isLossless == true { expectSame(heard, Array(samples.prefix(frames * 2))) }
    }

    /// Expects an error that names the file and the reason.
    private func expectRefusal(_ sink: RepairableSink, _ data: Data, _ reason: String) throws {
        let workspace = try Workspace()
        let path = try workspace.write(data, sink.name)
        let error = #expect(throws: SinkError.self) { try sink.decode(path, format) }
        let words = error?.description ?? ""
        #expect(words.hasPrefix("\(path): ") && (reason.isEmpty || words.contains(reason)), "\(words)")
    }

    @Test func `a flipped bit anywhere in a FLAC's audio is found`() async throws {
        let workspace = try Workspace()
        let sink = RepairableSink(FLACSink.self)
        let data = try await sink.finished(testSignal(frames: 10_000, format), format)
        let offset = try FLACFile(try workspace.write(data, sink.name), format: format).audioOffset
        var dice = Dice(11)
        for _ in 0..<300 {
            var broken = data
            broken[Int.random(in: offset..<data.count, using: &dice)] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
            try expectRefusal(sink, broken, "")
        }
    }

    @Test func `a FLAC that is cut, has a wrong MD5 or length, or lacks a block is found`() async throws {
        let workspace = try Workspace()
        let sink = RepairableSink(FLACSink.self)
        let data = try await sink.finished(testSignal(frames: 10_000, format), format)
        let file = try FLACFile(try workspace.write(data, sink.name), format: format)
        var dice = Dice(12)
        for _ in 0..<100 {
            try expectRefusal(
                sink, data.prefix(Int.random(in: file.audioOffset..<data.count, using: &dice)),
                "; it states 10000 frames")
        }
        for bit in 0..<128 {
            var broken = data
            broken[26 + bit / 8] ^= 1 << UInt8(bit % 8)
            try expectRefusal(sink, broken, "do not match its MD5")
        }
        var longer = data, shorter = data
        longer[25] += 1
        try expectRefusal(sink, longer, "it ends after frame 10000 (byte \(data.count)); it states 10001 frames")
        shorter[24] -= 10
        try expectRefusal(sink, shorter, "")
        try expectRefusal(sink, data + [1, 2, 3], "after frame 10000 (byte \(data.count))")
        // A torn file of unknown length: the error is Callreel's, not the decoder's.
        let torn = try await sink.killed(testSignal(frames: 10_000, format), format, 0.5)
        try expectRefusal(sink, torn.dropLast(7), "after frame 8064")
        #expect(try sink.decode(try workspace.write(torn, sink.name), format).file?.frames == 9216)
    }

    @Test(arguments: RepairTests.sinks.filter { $0.name == "call.wav" })
    func `a WAV whose header says more or less than there is is found`(sink: RepairableSink) async throws {
        let data = try await sink.finished(testSignal(frames: 1000, format), format)
        for cut in 1...20 { try expectRefusal(sink, data.dropLast(cut), "header and its length do not agree") }
        try expectRefusal(sink, data + [1, 2, 3], "header and its length do not agree")
        try expectRefusal(
            sink, try await sink.killed(testSignal(frames: 1000, format), format, 0.5), "from 500 to 1000 frames")
    }

    @Test func `a raw file of broken frames is found`() async throws {
        try expectRefusal(
            RepairableSink(RawSink.self), Data(count: 7), "7 bytes are not whole frames of 16000 Hz, 2 channels")
    }
}
