import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelSinks

/// Tests of WAV alone.
@Suite struct WAVSinkTests {
    @Test(arguments: WAVEncoding.allCases, [1, 2])
    func `every encoding opens elsewhere with its length and its sound`(encoding: WAVEncoding, channels: Int)
        async throws
    {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 8000, channels: channels)
        // An odd number, so that 8-bit and 24-bit mono data need RIFF's pad byte.
        let samples = testSignal(frames: 16_001, format)
        var options = WAVOptions()
        options.encoding = encoding
        let receipt = try await record(WAVSink.self, samples, workspace.context(format), options: options)
        #expect(receipt.frames == 16_001)
        #expect(receipt.details["encoding"] == .string(encoding.rawValue))
        let path = workspace.file("call.wav")
        #expect(try Tool.soxi("-s", path) == "16001")
        let info = try Tool.run("sndfile-info", path)
        #expect(info.status == 0)
        #expect(info.text.contains("Frames      : 16001"), "\(info.text)")
        // RIFF's chunks have even lengths, and the outermost one counts all but its own eight bytes.
        let file = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(file.count.isMultiple(of: 2))
        #expect(info.text.contains("RIFF : \(file.count - 8)\n"), "\(file.count): \(info.text)")
        let words =
            [
                .pcm16: "Signed Integer PCM 16", .pcm24: "Signed Integer PCM 24", .float: "Floating Point PCM 32",
                .ulaw: "u-law 8", .alaw: "A-law 8",
            ] as [WAVEncoding: String]
        // For G.711, soxi tells 14 and 13 bits of precision elsewhere; -b tells the bits in the file.
        #expect(try "\(Tool.soxi("-e", path)) \(Tool.soxi("-b", path))" == words[encoding])
        let heard = try Tool.sox(path)
        try #require(heard.count == samples.count)
        let noise = zip(heard, samples).map { pow(Double($0) - Double($1), 2) }.reduce(0, +)
        let power = samples.map { pow(Double($0), 2) }.reduce(0, +)
        switch encoding {
        case .pcm16, .pcm24, .float: #expect(noise == 0)
        // G.711 keeps about 38 dB between signal and quantization noise.
        case .ulaw, .alaw: #expect(noise > 0 && 10 * log10(power / noise) > 35)
        }
    }

    @Test func `after a checkpoint the file on disk is whole, and before the first frame too`() async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let samples = testSignal(frames: 48_000, format)
        var sink = try WAVSink(options: .init(), context: workspace.context(format))
        let empty = try workspace.copy("call.wav")
        #expect(try Tool.pythonWave(empty).isEmpty)
        #expect(try Tool.soxi("-s", empty) == "0")
        let pieces = chunks(samples, format)
        for piece in pieces[..<100] { try sink.write(piece) }
        try await checkpoint(&sink)
        try FileManager.default.removeItem(atPath: empty)
        let early = try workspace.copy("call.wav")
        expectSame(try Tool.pythonWave(early), Array(samples[..<32_000]), "Python")
        expectSame(try Tool.sox(early), Array(samples[..<32_000]), "sox")
        let converted = workspace.file("early.flac")
        #expect(try Tool.run("flac", "--silent", "-o", converted, early).status == 0)
        expectSame(try Tool.flac(converted), Array(samples[..<32_000]), "flac")
        // A checkpoint does not move the writing position.
        for piece in pieces[100...] { try sink.write(piece) }
        try await checkpoint(&sink)
        try await checkpoint(&sink)
        #expect(try sink.finish(.hangup).frames == 48_000)
        expectSame(try Tool.pythonWave(workspace.file("call.wav")), samples)
    }

    @Test func `a sink that is given up leaves a header that is right`() throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let samples = testSignal(frames: 3200, format)
        do {
            var sink = try WAVSink(options: .init(), context: workspace.context(format))
            for piece in chunks(samples, format) { try sink.write(piece) }
        }
        expectSame(try Tool.pythonWave(workspace.file("call.wav")), samples)
    }

    @Test func `a part and its header stay below the limit of RIFF`() {
        // Twice the longest five texts, and all headers.
        #expect(WAVSink.maximumDataBytes + 10 * CallTags.maximumBytes * 2 + 1024 < 1 << 32)
        let stereo = AudioFormat(sampleRate: 8000, channels: 2)
        #expect(WAVSink.frameLimit(options: .init(), format: stereo) == WAVSink.maximumDataBytes / 4)
    }

    @Test func `the call's facts stand in the file as plain text`() async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 8000)
        let call = CallFacts(
            carrier: "vonage", from: "Zoë\u{1B}[2J\r\n\u{202E}", to: String(repeating: "9", count: 100_000))
        _ = try await record(WAVSink.self, [1, 2, 3], workspace.context(format, call: call))
        let text = try Tool.run("sndfile-info", workspace.file("call.wav")).text
        #expect(text.contains("INAM : Call from Zo?[2J to 9999"), "\(text)")
        #expect(text.contains("ICRD : 2026-11-22T10:15:00Z"))
        #expect(text.contains("ISFT : Callreel"))
        #expect(text.contains("ICMT : CALLREEL_ID=63f61863a1b2c3d4e5f60718293a4b5c CALL_FROM=Zo?[2J CALL_TO=9999"))
        #expect(!text.contains("\u{1B}"))
        #expect(try Tool.pythonWave(workspace.file("call.wav")) == [1, 2, 3])
        let size = try FileManager.default.attributesOfItem(atPath: workspace.file("call.wav"))[.size] as? Int
        #expect(try #require(size) < 2000)
    }
}
