import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelSinks

/// Lengths of Opus, Vorbis and MP3 files, found without decoding.
@Suite struct StreamLengthTests {
    private static let held: [SndfileFormat: Int] = [.opus: 14_000, .vorbis: 70_000, .mp3: 4000]

    @Test(arguments: SndfileSinkTests.streams, [8000, 16000])
    func `what is counted is what libsndfile decodes and FFmpeg plays, wherever a file is torn`(
        stream: SndfileFormat, rate: Int
    ) async throws {
        let format = AudioFormat(sampleRate: rate), workspace = try Workspace()
        let samples = try Array(SndfileSinkTests.speech.get().prefix(90_000))
        let sink = RepairableSink(SndfileSink.self, SndfileSinkTests.options(stream), ending: stream.fileExtension)
        var dice = Dice(UInt64(rate))
        for (what, data) in [
            ("finished", try await sink.finished(samples, format)),
            ("killed", try await sink.killed(samples, format, 0.5)),
        ] {
            for number in 0..<12 {
                let count = number == 0 ? data.count : Int.random(in: data.count / 3..<data.count, using: &dice)
                let path = try workspace.write(data.prefix(count), "\(number)-\(what)." + stream.fileExtension)
                let frames = try #require(try repaired(sink, path, format)).frames
                let decoded = try sink.decode(path, format)
                #expect(
                    decoded.file?.frames == frames && decoded.samples.count == frames,
                    "\(what) \(count) of \(data.count)")
                if number > 0 { continue }
                #expect(
                    what == "finished"
                        ? frames == samples.count
                        : frames + Self.held[stream, default: 0] >= samples.count && frames <= samples.count)
                // Its first frame is the call's.
                #expect(similarity(decoded.samples, samples, 0) > 0.9, "\(what)")
                let played = try Tool.ffmpeg(path, rate: rate).count
                let early = stream == .mp3 && what == "killed" ? 1681 : 0
                #expect(abs(played - early - frames) <= 2 * 1152, "\(played) of \(frames)")
            }
        }
    }

    @Test(arguments: SndfileSinkTests.streams) func `a stream of another rate or of other channels is refused`(
        stream: SndfileFormat
    ) async throws {
        let format = AudioFormat(sampleRate: 16000), workspace = try Workspace()
        let sink = RepairableSink(SndfileSink.self, SndfileSinkTests.options(stream), ending: stream.fileExtension)
        let path = try workspace.write(try await sink.finished(testSignal(frames: 9000, format), format), sink.name)
        for other in [AudioFormat(sampleRate: 8000), AudioFormat(sampleRate: 16000, channels: 2)] {
            try repaired(sink, path, other, refusal: "16000 Hz, 1 channel, but the call had \(other)")
        }
    }

    @Test(arguments: SndfileSinkTests.streams)
    func `a page or frame that is not as it was written ends what is counted`(stream: SndfileFormat)
        async throws
    {
        let format = AudioFormat(sampleRate: 16000), workspace = try Workspace()
        let sink = RepairableSink(SndfileSink.self, SndfileSinkTests.options(stream), ending: stream.fileExtension)
        let data = try await sink.killed(try Array(SndfileSinkTests.speech.get().prefix(90_000)), format, 0.5)
        let whole = try #require(try repaired(sink, try workspace.write(data, sink.name), format)).frames
        // A power cut leaves the length without the data.
        let zeros = try workspace.write(data.dropLast(6000) + Data(count: 6000), "zeros." + stream.fileExtension)
        let left = try #require(try repaired(sink, zeros, format)).frames
        #expect(left < whole && left > whole / 2, "\(left) of \(whole)")
        // libsndfile ends an MP3 at a kilobyte of zeros, before the last whole frame.
        if stream != .mp3 { #expect(try sink.decode(zeros, format).file?.frames == left) }
    }

    @Test(arguments: SndfileSinkTests.streams) func `what is read at a call's end does not grow with the call`(
        stream: SndfileFormat
    ) async throws {
        // In a separate process that reads no other file meanwhile.
        let name = stream.rawValue
        await #expect(processExitsWith: .success) { [name = name as String] in
            let stream = try #require(SndfileFormat(rawValue: name))
            let format = AudioFormat(sampleRate: 8000), speech = try AudioContentOfSpeech.samples()
            var sizes: [Int] = [], reads: [Int] = []
            for rounds in [1, 20] {
                let workspace = try Workspace()
                var sink = try SndfileSink(
                    options: SndfileSinkTests.options(stream), context: workspace.context(format))
                for _ in 0..<rounds {
                    for chunk in chunks(speech, format, frames: 4000) { try sink.write(chunk) }
                }
                let before = try bytesRead()
                #expect(try sink.finish(.hangup).frames == rounds * speech.count)
                reads.append(try bytesRead() - before)
                sizes.append(try contents(workspace.file("call.\(stream.fileExtension)")).count)
            }
            #expect(sizes[1] > 15 * sizes[0] && sizes[1] > 500_000, "\(sizes)")
            #expect(reads[1] < 200_000, "\(reads)")
        }
    }
}

/// Speech for a separate process, which shares no memory with the others.
enum AudioContentOfSpeech {
    static func samples() throws -> [Int16] { Tool.samples(try contents(speechPath).suffix(352_000)) }
}

/// Returns the number of bytes read by this process so far, from any file (proc(5), "io").
func bytesRead() throws -> Int {
    let text = try String(contentsOfFile: "/proc/self/io", encoding: .utf8)
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("rchar: ") })
    return try #require(Int(line.dropFirst("rchar: ".count)))
}
