import CallreelFilters
import Foundation
import TestSupport
import Testing

@testable import CallreelCore
@testable import CallreelEngine

/// The built-in filters: their sound, judged by other programs, and their independence of chunks.
@Suite struct FilterTests {
    private static let format = AudioFormat(sampleRate: 16000, channels: 2)

    /// Reads a list of filters from its JSON text.
    private func filters(_ text: String) throws -> [PreparedFilter] {
        var problems: [ConfigurationProblem] = []
        let filters = FilterRegistry.builtIn.read(try .parse(text), at: .root, problems: &problems)
        #expect(problems == [])
        return filters
    }

    /// Passes samples through filters in chunks of some sizes, one after the other, and returns the kept samples and the
    /// cut frames.
    private func pass(
        _ samples: [Int16], _ text: String, format: AudioFormat = FilterTests.format, sizes: [Int] = [1600]
    ) throws -> (kept: [Int16], cut: FrameRanges) {
        var chain = try FilterChain(try filters(text), format: format, at: 0)
        var kept: [Int16] = [], cut = FrameRanges(), start = 0, turn = 0
        func take(_ pieces: [FilterChain.Piece]) {
            for piece in pieces {
                switch piece {
                case .audio(let chunk):
                    #expect(chunk.start.frames * format.channels == kept.count + cut.frames * format.channels)
                    kept += chunk.samples
                case .cut(let range): cut.insert(range)
                }
            }
        }
        let frames = samples.count / format.channels
        while start < frames {
            let end = min(frames, start + sizes[turn % sizes.count])
            let piece = Array(samples[start * format.channels..<end * format.channels])
            take(try chain.apply(PCMChunk(samples: piece, format: format, start: FramePosition(start))))
            start = end
            turn += 1
        }
        take(try chain.finish())
        #expect(kept.count + cut.frames * format.channels == samples.count)
        return (kept, cut)
    }

    /// Speech with long silences: the fixture, 4 s of faint noise, and the fixture again, different in each channel.
    private func call() async throws -> [Int16] {
        let pcm = try await Speech.pcm()
        let mono = unsafe pcm.withUnsafeBytes { unsafe Array($0.bindMemory(to: Int16.self)) }
        var noise = SystemRandomNumberGenerator()
        let pause = (0..<64000).map { _ in Int16.random(in: -8...8, using: &noise) }
        return (mono + pause + mono).flatMap { [$0, $0 / 2] }
    }

    @Test(arguments: [
        #"[{"type": "gain", "decibels": -3}]"#, #"[{"type": "highpass"}]"#, #"[{"type": "silence"}]"#,
        #"[{"type": "agc"}]"#,
        #"[{"type": "highpass", "frequency": 200}, {"type": "agc"}, {"type": "silence", "longest": 0.3}]"#,
        #"[{"type": "silence"}, {"type": "silence", "longest": 0.2}, {"type": "gain", "decibels": 1}]"#,
    ])
    func `the sizes of chunks change nothing`(list: String) async throws {
        let samples = try await call(), whole = try pass(samples, list, sizes: [samples.count])
        for sizes in [[1600], [1, 2, 3, 159, 160, 161, 7000], [160], [Int.random(in: 1...5000), 77]] {
            let other = try pass(samples, list, sizes: sizes)
            #expect(other.kept == whole.kept && other.cut == whole.cut, "\(sizes)")
        }
    }

    @Test(arguments: [
        (#"[{"type": "gain", "decibels": 6}]"#, ["vol", "6dB"]),
        (#"[{"type": "gain", "decibels": -12.5}]"#, ["vol", "-12.5dB"]),
        (#"[{"type": "highpass", "frequency": 300}]"#, ["highpass", "300"]),
    ]) func `gain and highpass sound as they do in sox`(list: String, effect: [String]) async throws {
        let samples = try await call(), mine = try pass(samples, list).kept
        let directory = TemporaryDirectory(), raw = ["-t", "raw", "-r", "16000", "-c", "2", "-e", "signed", "-b", "16"]
        try unsafe samples.withUnsafeBytes { unsafe Data($0) }
            .write(to: URL(fileURLWithPath: directory.path + "/in.raw"))
        let output = try await Program("sox").output(
            ["-D"] + raw + [directory.path + "/in.raw"] + raw + ["-"] + effect)
        let theirs = unsafe output.withUnsafeBytes { unsafe Array($0.bindMemory(to: Int16.self)) }
        #expect(theirs.count == mine.count)
        // Both round to the nearest sample, of values that differ in the last bits of a float.
        let far = zip(mine, theirs).filter { abs(Int($0) - Int($1)) > 1 }.count
        #expect(far == 0, "\(far) samples differ")
        #expect(mine != samples)
    }

    @Test func `a long silence is shortened in its middle, to the frame, and nothing else is changed`() throws {
        let format = AudioFormat(sampleRate: 8000)
        let tone = (0..<8000).map { Int16(8000 * sin(Double($0) * 0.3)) }
        let samples = tone + [Int16](repeating: 3, count: 24000) + tone + [Int16](repeating: 0, count: 8000) + tone
        let (kept, cut) = try pass(samples, #"[{"type": "silence", "longest": 1}]"#, format: format)
        // 1 s of 3 s stays: 0.8 s behind the tone and 0.2 s before the next one. The second silence is not too long.
        #expect(cut == FrameRanges([14400..<30400]))
        #expect(kept == Array(samples[..<14400] + samples[30400...]))
        // At the end, too.
        let end = try pass(tone + [Int16](repeating: 0, count: 80000), #"[{"type": "silence"}]"#, format: format)
        #expect(end.cut == FrameRanges([14400..<86400]) && end.kept.count == 16000)
    }

    @Test func `masked and inserted silence stays silent behind every filter`() throws {
        let format = AudioFormat(sampleRate: 8000), tone = (0..<8000).map { Int16(8000 * sin(Double($0) * 0.1)) }
        for entry in [#"{"type": "gain", "decibels": 20}"#, #"{"type": "highpass"}"#, #"{"type": "agc"}"#] {
            var chain = try FilterChain(try filters("[\(entry)]"), format: format, at: 0)
            _ = try chain.apply(PCMChunk(samples: tone, format: format, start: FramePosition(0)))
            let silent = PCMChunk.silence(frames: 800, format: format, start: FramePosition(8000), origin: .masked)
            guard case .audio(let chunk) = try #require(try chain.apply(silent).first) else {
                Issue.record("it was cut")
                continue
            }
            #expect(chunk.origin == .masked && chunk.samples.allSatisfy { $0 == 0 }, "\(entry)")
        }
    }

    @Test func `quiet and loud speech come to one level, and noise does not swell`() throws {
        let format = AudioFormat(sampleRate: 8000)
        func tone(_ level: Double, seconds: Int) -> [Int16] {
            let peak = 32768 * pow(10, level / 20) * 2.0.squareRoot()
            return (0..<8000 * seconds).map { Int16(peak * sin(Double($0) * 0.5)) }
        }
        func level(_ samples: ArraySlice<Int16>) -> Double {
            let sum = samples.reduce(0.0) { $0 + Double($1) * Double($1) }
            return 10 * log10(sum / Double(samples.count) / 32768 / 32768)
        }
        let samples = tone(-38, seconds: 5) + tone(-10, seconds: 5) + tone(-70, seconds: 5)
        let kept = try pass(samples, #"[{"type": "agc"}]"#, format: format).kept
        #expect(abs(level(kept[32000..<40000]) - -20) < 1, "\(level(kept[32000..<40000]))")
        #expect(abs(level(kept[72000..<80000]) - -20) < 1, "\(level(kept[72000..<80000]))")
        #expect(level(kept[112_000..<120_000]) < -70)
    }

    @Test(arguments: [
        (
            "[" + Array(repeating: #"{"type": "highpass"}"#, count: 17).joined(separator: ", ") + "]",
            "has 17 filters; 16 are the most"
        ),
        ("{}", "{} is not a list of filters such as [{\"type\": \"agc\"}]"),
        (
            #"[{"type": "gian"}]"#,
            "[0].type: \"gian\" is not a known type; known types are agc, gain, highpass, silence; did you mean \"gain\"?"
        ),
        (#"[{"type": "gain"}]"#, "[0].decibels: is missing; expected: number, -60.0...60.0, such as 6"),
        (#"[{"type": "highpass", "frequency": 5}]"#, "[0].frequency: 5 is outside 20.0...1000.0"),
        (#"[{"type": "silence", "longst": 5}]"#, "[0].longst: unknown key; did you mean \"longest\"?"),
    ]) func `a mistake in a filter is named with its place`(text: String, reason: String) throws {
        var problems: [ConfigurationProblem] = []
        _ = FilterRegistry.builtIn.read(try .parse(text), at: .root, problems: &problems)
        #expect(problems.map(\.description) == [reason])
    }
}
