import CallreelCore
import CallreelSinks
import Foundation
import TestSupport
import Testing

/// Reads files made by other programs.
@Suite struct AudioFileReaderTests {
    /// Returns all samples in a file, read in pieces.
    private func read(_ path: String, as format: AudioFormat? = nil, pieces: Int = 1000) throws -> [Int16] {
        var reader = try AudioFileReader(path: path, convertingTo: format)
        var samples: [Int16] = []
        while true {
            let piece = try reader.read(maximumFrames: pieces)
            if piece.isEmpty { break }
            #expect(piece.count <= pieces * reader.format.channels)
            samples += piece
        }
        // Another read at the end is empty as well.
        #expect(try reader.read(maximumFrames: pieces).isEmpty)
        return samples
    }

    /// Makes a tone with sox. The arguments after the path are sox's own.
    private func tone(_ path: String, rate: Int, channels: Int = 1, _ hertz: Int = 1000, bits: String = "16") throws {
        let made = try Tool.run(
            "sox", "-D", "-n", "-r", "\(rate)", "-c", "\(channels)", "-b", bits, path, "synth", "2", "sine", "\(hertz)",
            "vol", "0.5")
        #expect(made.status == 0, "\(made.errors)")
    }

    /// Measures one channel: the frequency by its upward zero crossings, and the level against full scale.
    private func measure(_ samples: [Int16], _ format: AudioFormat, channel: Int = 0) throws -> (
        hertz: Double, level: Double
    ) {
        let values = stride(from: channel, to: samples.count, by: format.channels).map { Double(samples[$0]) }
        var crossings: [Double] = []
        for index in 1..<values.count where values[index - 1] < 0 && values[index] >= 0 {
            crossings.append(Double(index) - values[index] / (values[index] - values[index - 1]))
        }
        let first = try #require(crossings.first), last = try #require(crossings.last)
        let level = (values.map { $0 * $0 }.reduce(0, +) / Double(values.count)).squareRoot() / 32768
        return (Double(crossings.count - 1) / (last - first) * Double(format.sampleRate), level)
    }

    @Test(arguments: [1, 160, 4096, 1_000_000])
    func `speech in the wanted format comes out bit for bit`(pieces: Int) throws {
        let reader = try AudioFileReader(path: speechPath)
        #expect(reader.format == AudioFormat(sampleRate: 16000))
        #expect(reader.fileFormat == reader.format)
        #expect(reader.frameCount == 176_000)
        let samples = try read(speechPath, as: AudioFormat(sampleRate: 16000), pieces: pieces)
        #expect(samples.count * 2 == 352_000)
        let file = try Data(contentsOf: URL(fileURLWithPath: speechPath))
        expectSame(samples, Tool.samples(file.suffix(352_000)))
    }

    @Test func `what a sink wrote comes back, from every lossless format`() async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 24000, channels: 2)
        let samples = testSignal(frames: 9000, format)
        _ = try await record(FLACSink.self, samples, workspace.context(format))
        expectSame(try read(workspace.file("call.flac"), as: format), samples, "flac")
        for encoding in [WAVEncoding.pcm16, .pcm24, .float] {
            var options = WAVOptions()
            options.encoding = encoding
            _ = try await record(
                WAVSink.self, samples, workspace.context(format, stem: encoding.rawValue), options: options)
            expectSame(try read(workspace.file("\(encoding).wav"), as: format), samples, "\(encoding)")
        }
    }

    @Test(arguments: [(8000, 16000), (16000, 8000), (16000, 24000), (44100, 16000), (48000, 8000)])
    func `a tone keeps its pitch, its level and its length at another rate`(from: Int, to: Int) throws {
        let workspace = try Workspace()
        let path = workspace.file("tone.wav")
        try tone(path, rate: from)
        let format = AudioFormat(sampleRate: to)
        let samples = try read(path, as: format)
        let (hertz, level) = try measure(samples, format)
        #expect(abs(hertz - 1000) < 0.1, "\(hertz) Hz")
        #expect(abs(level - 0.5 / 2.0.squareRoot()) < 0.005, "\(level)")
        let announced = try AudioFileReader(path: path, convertingTo: format).frameCount
        #expect(announced == 2 * to)
        #expect(abs(samples.count - 2 * to) <= 1, "\(samples.count) frames")
        // The pieces do not change the samples.
        expectSame(try read(path, as: format, pieces: 7919), samples)
    }

    @Test func `a converted tone starts with its source, not after the filter's delay`() throws {
        let workspace = try Workspace()
        let path = workspace.file("tone.wav")
        try tone(path, rate: 8000, 400)
        let samples = try read(path, as: AudioFormat(sampleRate: 16000))
        // The first period's crest is a quarter of 40 frames in.
        let crest = try #require(samples[..<30].indices.max { samples[$0] < samples[$1] })
        #expect(abs(crest - 10) <= 1, "\(crest)")
    }

    @Test func `two channels become their average, and one becomes two alike`() throws {
        let workspace = try Workspace()
        let stereo = workspace.file("stereo.wav"), silent = workspace.file("silent.wav"),
            both = workspace.file("both.wav")
        try tone(stereo, rate: 16000)
        #expect(
            try Tool.run("sox", "-D", "-n", "-r", "16000", "-c", "1", "-b", "16", silent, "trim", "0", "2").status == 0)
        #expect(try Tool.run("sox", "-M", stereo, silent, both).status == 0)
        let mono = AudioFormat(sampleRate: 16000), pair = AudioFormat(sampleRate: 16000, channels: 2)
        let mixed = try read(both, as: mono)
        #expect(mixed.count == 32_000)
        let (hertz, level) = try measure(mixed, mono)
        #expect(abs(hertz - 1000) < 0.1)
        #expect(abs(level - 0.25 / 2.0.squareRoot()) < 0.001)

        let doubled = try read(stereo, as: pair)
        let original = try Tool.sox(stereo)
        #expect(doubled.count == 64_000)
        expectSame(doubled, original.flatMap { [$0, $0] })
    }

    @Test func `rate and channels change together`() throws {
        let workspace = try Workspace()
        let path = workspace.file("tone.wav")
        try tone(path, rate: 44100, channels: 2, bits: "24")
        let format = AudioFormat(sampleRate: 8000)
        let (hertz, level) = try measure(try read(path, as: format), format)
        #expect(abs(hertz - 1000) < 0.1)
        #expect(abs(level - 0.5 / 2.0.squareRoot()) < 0.005)
    }

    @Test(arguments: [8000, 16000])
    func `float samples beyond full scale are clipped, and what is no number is silence`(target: Int) throws {
        let workspace = try Workspace()
        let path = workspace.file("float.wav")
        let script = """
            import struct, sys
            v = [2.0] * 400 + [-2.0] * 400 + [float('nan'), float('inf'), float('-inf')] + [0.0] * 400
            d = struct.pack('<%df' % len(v), *v)
            h = struct.pack('<4sI4s4sIHHIIHH4sI', b'RIFF', 36 + len(d), b'WAVE', b'fmt ', 16, 3, 1, 8000, 32000, 4, 32, b'data', len(d))
            open(sys.argv[1], 'wb').write(h + d)
            """
        #expect(try Tool.run("python3", "-c", script, path).status == 0)
        let samples = try read(path, as: AudioFormat(sampleRate: target))
        let step = target / 8000
        #expect(abs(samples.count - 1203 * step) <= 1)
        #expect(samples[200 * step] == .max)
        #expect(samples[600 * step] == .min)
        #expect(samples[1000 * step] == 0)
        if step == 1 { #expect(samples[800...802] == [0, 0, 0]) }
        // Within the filter's reach: if these samples were not removed, it would answer with full scale.
        #expect(abs(Int(samples[811 * step])) < 6000, "\(samples[811 * step])")
    }

    @Test func `a FLAC that was never finished has no length and is read to its end`() throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let samples = testSignal(frames: 5000, format)
        var sink = try FLACSink(options: .init(), context: workspace.context(format))
        for piece in chunks(samples, format) { try sink.write(piece) }
        let torn = try workspace.copy("call.flac")
        #expect(try AudioFileReader(path: torn).frameCount == nil)
        expectSame(try read(torn), Array(samples[..<4608]))
        _ = try sink.finish(.hangup)
    }

    @Test func `a file that is not audio is named, with the reason`() throws {
        let workspace = try Workspace()
        let text = workspace.file("notes.txt"), missing = workspace.file("missing.wav"),
            empty = workspace.file("empty.wav")
        try Data("Dear diary, today nobody called.\n".utf8).write(to: URL(fileURLWithPath: text))
        try Data().write(to: URL(fileURLWithPath: empty))
        let foreign = "not a sound file that libsndfile reads"
        for (path, reason) in [(text, foreign), (missing, "No such file or directory"), (empty, foreign)] {
            let error = #expect(throws: AudioFileError.self) { _ = try AudioFileReader(path: path) }
            #expect(error?.path == path)
            #expect(error?.description.hasPrefix(path + ": ") == true)
            #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
        }
    }

    @Test func `a rate that no converter reaches is refused`() throws {
        let error = #expect(throws: AudioFileError.self) {
            _ = try AudioFileReader(path: speechPath, convertingTo: AudioFormat(sampleRate: 16))
        }
        #expect(error?.reason == "16000 Hz cannot be converted to 16 Hz")
    }
}
