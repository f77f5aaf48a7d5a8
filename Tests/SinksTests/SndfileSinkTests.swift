import CallreelCore
import CallreelEngine
import Foundation
import TestSupport
import Testing

@testable import CallreelSinks

/// Files of the `sndfile` sink, which leaves the encoding to libsndfile.
@Suite struct SndfileSinkTests {
    static let streams: [SndfileFormat] = [.opus, .vorbis, .mp3]
    static let containers: [SndfileFormat] = [.caf, .aiff, .w64, .rf64, .au]

    static func options(_ format: SndfileFormat, _ encoding: WAVEncoding? = nil, quality: Double? = nil)
        -> SndfileOptions
    {
        var options = SndfileOptions()
        options.format = format
        options.encoding = encoding
        options.quality = quality
        return options
    }

    /// The sinks whose files state their length, for the tests of every repair.
    static let counted = containers.flatMap { format in
        ([.pcm16] + (format == .aiff || format == .caf ? WAVEncoding.allCases.dropFirst() : [.pcm24, .alaw])).map {
            encoding in
            RepairableSink(
                SndfileSink.self, options(format, encoding), "sndfile \(format) \(encoding)",
                ending: format.fileExtension)
        }
    }

    static let speech = Result { try Tool.sox(speechPath) }

    @Test(arguments: containers, WAVEncoding.allCases)
    func `every container and encoding opens elsewhere with its length and its sound`(
        container: SndfileFormat, encoding: WAVEncoding
    ) async throws {
        for (format, frames) in [
            (AudioFormat(sampleRate: 8000), 16_001), (AudioFormat(sampleRate: 24000, channels: 2), 9_999),
        ] {
            let workspace = try Workspace()
            let samples = testSignal(frames: frames, format)
            let receipt = try await record(
                SndfileSink.self, samples, workspace.context(format), options: Self.options(container, encoding))
            #expect(receipt.frames == frames && receipt.details["encoding"] == .string(encoding.rawValue))
            let path = workspace.file("call.\(container.fileExtension)")
            #expect(receipt.framesByFile == ["call.\(container.fileExtension)": frames])
            let codec = try Tool.run(
                "ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", path
            ).text
            let codecs: [WAVEncoding: String] = [
                .pcm16: "pcm_s16", .pcm24: "pcm_s24", .float: "pcm_f32", .ulaw: "pcm_mulaw", .alaw: "pcm_alaw",
            ]
            #expect(codec.hasPrefix(try #require(codecs[encoding])), "\(container) \(encoding): \(codec)")
            // sox does not know the form of G.711 that libsndfile writes in AIFF-C.
            let isForSox = container != .aiff || encoding != .ulaw && encoding != .alaw
            if isForSox {
                #expect(try Tool.soxi("-s", path) == "\(frames)")
                #expect(try Tool.soxi("-r", path) == "\(format.sampleRate)")
                // sox scales floating point by 32767 in formats that it reads through libsndfile.
                let heard = try Tool.sox(path)
                try #require(heard.count == samples.count)
                let most = zip(heard, samples).map { abs(Int($0) - Int($1)) }.max() ?? 0
                if encoding == .ulaw || encoding == .alaw {
                    #expect(ratio(heard, samples) > 35)
                } else {
                    #expect(most <= (encoding == .float ? 1 : 0))
                }
            }
            let info = try Tool.run("sndfile-info", path)
            #expect(info.status == 0 && info.text.contains("Frames      : \(frames)\n"), "\(info.text)")
            let heard = try Tool.ffmpeg(path)
            try #require(heard.count == samples.count, "\(container) \(encoding)")
            // G.711 keeps about 38 dB between signal and quantization noise.
            if encoding == .ulaw || encoding == .alaw {
                #expect(ratio(heard, samples) > 35)
            } else {
                expectSame(heard, samples, "ffmpeg")
            }
        }
    }

    @Test(arguments: streams, AudioFormat.supportedSampleRates)
    func `a lossy file has the call's length and its sound in its place`(stream: SndfileFormat, sampleRate: Int)
        async throws
    {
        for (channels, quality) in [(1, nil), (2, nil), (1, 0), (1, 0.5), (2, 1)] as [(Int, Double?)] {
            let format = AudioFormat(sampleRate: sampleRate, channels: channels)
            let mono = try Array(Self.speech.get().prefix(40_001))
            let samples = channels == 1 ? mono : mono.flatMap { [$0, $0 / 2] }
            let frames = samples.count / channels
            let workspace = try Workspace()
            let receipt = try await record(
                SndfileSink.self, samples, workspace.context(format), options: Self.options(stream, quality: quality))
            #expect(receipt.frames == frames)
            #expect(receipt.details["quality"] == quality.map(JSONValue.number))
            let path = workspace.file("call.\(stream.fileExtension)")
            let heard = try Tool.ffmpeg(path, rate: sampleRate)
            #expect(heard.count == samples.count, "\(quality ?? -1) \(channels)")
            // The best alignment is none at all, and the decoded audio is the call.
            // Opus at its smallest differs much from it and is still speech.
            let near = (-200...200).max { left, right in
                let middle = 20_000 * channels, window = 4000 * channels
                func alike(_ shift: Int) -> Double {
                    let place = middle + shift * channels
                    return similarity(Array(heard[middle..<middle + window]), Array(samples[place..<place + window]), 0)
                }
                return alike(left) < alike(right)
            }
            #expect(abs(near ?? 999) <= 4, "\(quality ?? -1): \(near ?? 999)")
            #expect(
                similarity(heard, samples, (near ?? 0) * channels) > (quality == 0 ? 0.8 : 0.95),
                "\(quality ?? -1) \(channels)")
            var decoded = 0
            let file = try SndfileSink.decode(path, format: format) { decoded += $0.count }
            #expect(file == DecodedFile(frames: frames, isLossless: false) && decoded == samples.count)
            #expect(try SndfileSink.repair(path, format: format, dryRun: false)?.isWhole(frames) == true)
        }
    }

    @Test(arguments: streams)
    func `more quality takes more space and is nearer to the call`(stream: SndfileFormat) async throws {
        let format = AudioFormat(sampleRate: 16000), samples = try Array(Self.speech.get().prefix(80_000))
        var sizes: [Int] = [], nearness: [Double] = []
        for quality in [0, 0.5, 1] {
            let workspace = try Workspace()
            _ = try await record(
                SndfileSink.self, samples, workspace.context(format), options: Self.options(stream, quality: quality))
            let path = workspace.file("call.\(stream.fileExtension)")
            sizes.append(try contents(path).count)
            nearness.append(ratio(try Tool.ffmpeg(path, rate: 16000), samples))
        }
        #expect(sizes == sizes.sorted() && sizes[2] > sizes[0] * 2, "\(sizes)")
        #expect(nearness[2] > nearness[0], "\(nearness)")
    }

    @Test(arguments: SndfileFormat.allCases)
    func `a call of no frame, of one or of two is a whole file`(format: SndfileFormat) async throws {
        for frames in [0, 1, 2] {
            let audio = AudioFormat(sampleRate: 16000), workspace = try Workspace()
            let samples = testSignal(frames: frames, audio)
            let receipt = try await record(
                SndfileSink.self, samples, workspace.context(audio), options: Self.options(format))
            #expect(receipt.frames == frames)
            let path = workspace.file("call.\(format.fileExtension)")
            #expect(try SndfileSink.decode(path, format: audio) { _ in }?.frames == frames)
            #expect(try SndfileSink.repair(path, format: audio, dryRun: false)?.isWhole(frames) == true)
        }
    }

    @Test(arguments: containers)
    func `after a checkpoint the file on disk is whole for others, and all of it is there after a repair`(
        container: SndfileFormat
    ) async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000), samples = testSignal(frames: 48_000, format)
        var sink = try SndfileSink(options: Self.options(container), context: workspace.context(format))
        let name = "call.\(container.fileExtension)"
        let pieces = chunks(samples, format)
        for piece in pieces[..<100] { try sink.write(piece) }
        try await checkpoint(&sink)
        let early = try workspace.copy(name)
        expectSame(try Tool.sox(early), Array(samples[..<32_000]), "sox")
        expectSame(try Tool.ffmpeg(early), Array(samples[..<32_000]), "ffmpeg")
        for piece in pieces[100..<140] { try sink.write(piece) }
        try FileManager.default.removeItem(atPath: early)
        let killed = try workspace.copy(name)
        // Wave64 is up to date at every moment, because FFmpeg opens no other Wave64 file.
        #expect(try Tool.soxi("-s", killed) == (container == .w64 ? "44800" : "32000"))
        if container == .w64 { expectSame(try Tool.ffmpeg(killed), Array(samples[..<44_800]), "ffmpeg") }
        #expect(try SndfileSink.repair(killed, format: format, dryRun: false)?.frames == 44_800)
        expectSame(try Tool.sox(killed), Array(samples[..<44_800]), "sox")
        expectSame(try Tool.ffmpeg(killed), Array(samples[..<44_800]), "ffmpeg")
        for piece in pieces[140...] { try sink.write(piece) }
        #expect(try sink.finish(.hangup).frames == 48_000)
        expectSame(try Tool.sox(workspace.file(name)), samples)
    }

    /// Frames that may not be on disk yet when a process is killed, and the possible shift of the rest.
    @Test(arguments: [(SndfileFormat.opus, 8000 + 1600, 0), (.vorbis, 16000 * 4, 0), (.mp3, 2400, 1105)])
    func `a stream of a killed process plays up to its last page`(stream: SndfileFormat, missing: Int, delay: Int)
        async throws
    {
        let format = AudioFormat(sampleRate: 16000), samples = try Self.speech.get()
        let workspace = try Workspace()
        var sink = try SndfileSink(options: Self.options(stream), context: workspace.context(format))
        let name = "call.\(stream.fileExtension)"
        for (number, piece) in chunks(samples, format).enumerated() {
            try sink.write(piece)
            guard [150, 300, 470].contains(number + 1) else { continue }
            try await checkpoint(&sink)
            let written = (number + 1) * 320
            let copy = try workspace.copy(name), before = try contents(copy)
            let heard = try Tool.ffmpeg(copy, rate: 16000)
            #expect(
                (written - missing...written + delay).contains(heard.count - (delay > 0 ? 576 : 0)),
                "\(heard.count) of \(written)")
            // FFmpeg plays the empty first frame of an MP3 whose tag was never written. libsndfile does not.
            let shift = delay > 0 ? delay + 576 : 0
            #expect(similarity(heard, samples, -shift) > 0.95)
            let repair = try SndfileSink.repair(copy, format: format, dryRun: false)
            #expect(
                repair?.change == nil && (written - missing - shift...written).contains(repair?.frames ?? 0),
                "\(String(describing: repair))")
            #expect(try contents(copy) == before)
            #expect(try SndfileSink.decode(copy, format: format) { _ in }?.frames == repair?.frames)
            // Torn in the middle of a page, it is still as long as its whole pages, and the repair removes no byte.
            let torn = try workspace.write(before.dropLast(100), "torn-" + name)
            let left = try SndfileSink.repair(torn, format: format, dryRun: false)
            #expect(
                left?.change == nil && left!.frames <= repair!.frames && left!.frames > repair!.frames - missing - 4096)
            #expect(try contents(torn).count == before.count - 100)
            try FileManager.default.removeItem(atPath: copy)
        }
        #expect(try sink.finish(.hangup).frames == samples.count)
    }

    @Test(arguments: SndfileFormat.allCases)
    func `a file says what call it is, where its format has a place for that`(format: SndfileFormat) async throws {
        let workspace = try Workspace(), audio = AudioFormat(sampleRate: 16000)
        _ = try await record(
            SndfileSink.self, testSignal(frames: 4000, audio), workspace.context(audio), options: Self.options(format))
        let tags = try Tool.run(
            "ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags",
            workspace.file("call.\(format.fileExtension)")
        )
        .text
        #expect(tags.contains("Call from 447700900123 to 441632960000") == ![.w64, .au].contains(format), "\(tags)")
    }

    @Test func `what cannot be written is refused when the configuration is read, and when it opens`() async throws {
        let cases: [(SndfileOptions, AudioFormat, String)] = [
            (
                Self.options(.opus, .pcm16), AudioFormat(sampleRate: 16000),
                #""encoding" "pcm16" is not possible with opus"#
            ),
            (Self.options(.caf, quality: 0.5), AudioFormat(sampleRate: 16000), #""quality" is not possible with caf"#),
            (
                Self.options(.opus), AudioFormat(sampleRate: 44100),
                "opus cannot hold 44100 Hz; it takes 8000, 12000, 16000, 24000, 48000"
            ),
            (Self.options(.mp3), AudioFormat(sampleRate: 8001), "mp3 cannot hold 8001 Hz"),
            (Self.options(.mp3), AudioFormat(sampleRate: 8000, channels: 3), "cannot write mp3 of 8000 Hz, 3 channels"),
        ]
        for (options, format, reason) in cases {
            #expect(SndfileSink.refusal(of: format, options: options)?.contains(reason) == true)
            let workspace = try Workspace()
            let error = #expect(throws: SinkError.self) {
                _ = try SndfileSink(options: options, context: workspace.context(format))
            }
            #expect(error?.blame == .options && error?.description.contains(reason) == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: workspace.path).isEmpty)
        }
        for format in SndfileFormat.allCases {
            for rate in AudioFormat.supportedSampleRates {
                for channels in [1, 2] {
                    #expect(
                        SndfileSink.refusal(
                            of: AudioFormat(sampleRate: rate, channels: channels), options: Self.options(format)) == nil
                    )
                }
            }
        }
        var problems: [ConfigurationProblem] = []
        let value = try JSONValue(parsing: Data(#"[{"type": "sndfile", "format": "caf", "quality": 1}]"#.utf8))
        _ = SinkPlan.read(
            value, at: .root.key("sinks"), registry: .builtIn, formats: [AudioFormat(sampleRate: 16000)],
            problems: &problems)
        #expect(
            problems.map(\.description).first?.hasPrefix(#"sinks[0]: "quality" is not possible with caf"#) == true,
            "\(problems)")
    }

    @Test func `only what counts in 32 bits has a limit`() {
        let format = AudioFormat(sampleRate: 16000, channels: 2)
        let limits = SndfileFormat.allCases.map { SndfileSink.frameLimit(options: Self.options($0), format: format) }
        let limit = ((1 << 32) - (1 << 16)) / 4
        #expect(limits == [nil, nil, nil, nil, limit, nil, nil, limit])
        #expect(SndfileSink.frameLimit(options: Self.options(.au, .ulaw), format: format) == limit * 2)
    }

    @Test(arguments: [SndfileFormat.aiff, .caf, .w64, .rf64, .au])
    func `a repair ended between any two of its steps finishes when it is run again`(container: SndfileFormat)
        async throws
    {
        let format = AudioFormat(sampleRate: 8000)
        for encoding in [WAVEncoding.pcm16, .pcm24, .ulaw] {
            let sink = RepairableSink(
                SndfileSink.self, Self.options(container, encoding), ending: container.fileExtension)
            let workspace = try Workspace()
            let data = try await sink.killed(testSignal(frames: 2001, format), format, 0.5).dropLast(
                encoding.bytesPerSample - 1)
            let path = try workspace.write(data, sink.name)
            let frames = try #require(try repaired(sink, path, format)).frames
            #expect(frames == (encoding.bytesPerSample == 1 ? 2001 : 2000))
            let whole = try contents(path)
            // Each prefix of the bytes changed by a repair, in the repair's order: the outermost size and the pad last.
            var partial = Data(data.prefix(whole.count)),
                places = zip(partial.indices, whole).filter { partial[$0] != $1 }.map(\.0)
            let outermost = places.filter { (4..<24).contains($0) && container != .au }
            places = places.filter { !outermost.contains($0) } + outermost
            for place in places {
                partial[place] = whole[place]
                let path = try workspace.write(partial, sink.name)
                #expect(try repaired(sink, path, format)?.frames == frames, "\(encoding) at \(place)")
                #expect(try contents(path) == whole, "\(encoding), ended after writing at \(place)")
            }
        }
    }
}

/// Returns the decibels between a signal and its difference from another.
func ratio(_ heard: [Int16], _ samples: [Int16]) -> Double {
    let noise = zip(heard, samples).map { pow(Double($0) - Double($1), 2) }.reduce(0, +)
    return 10 * log10(samples.map { pow(Double($0), 2) }.reduce(0, +) / max(noise, 1))
}

/// Returns the similarity of two signals when one is shifted by so many samples: 1 is the same shape.
func similarity(_ heard: [Int16], _ samples: [Int16], _ shift: Int) -> Double {
    let from = max(0, shift), to = min(samples.count, heard.count + shift)
    var product = 0.0, one = 0.0, other = 0.0
    for index in from..<to {
        let a = Double(heard[index - shift]), b = Double(samples[index])
        product += a * b
        one += a * a
        other += b * b
    }
    return product / (one * other).squareRoot()
}
