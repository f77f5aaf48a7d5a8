import CallreelCore
import Foundation
import Testing

@testable import CallreelSinks

/// Files of dead programs, whose header does not count the audio, and headers with impossible values.
@Suite struct UncountedAudioTests {
    private let format = AudioFormat(sampleRate: 16000)

    /// Reads a file whole, as `replay` does.
    private func read(_ path: String) throws -> (samples: [Int16], note: String?) {
        var reader = try AudioFileReader(path: path)
        var samples: [Int16] = []
        while case let piece = try reader.read(maximumFrames: 4000), !piece.isEmpty { samples += piece }
        return (samples, reader.note)
    }

    /// Makes a WAV with Python's own writer.
    private func wave(_ workspace: Workspace, _ samples: [Int16]) throws -> Data {
        let path = workspace.file("python.wav")
        let raw = try workspace.write(
            Data(samples.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }), "samples.raw"
        )
        let script = """
            import sys, wave
            w = wave.open(sys.argv[2], "wb"); w.setnchannels(1); w.setsampwidth(2); w.setframerate(16000)
            w.writeframes(open(sys.argv[1], "rb").read()); w.close()
            """
        #expect(try Tool.run("python3", "-c", script, raw, path).status == 0)
        return try contents(path)
    }

    @Test(arguments: [(0, 0), (0, 36), (1000, 1036), (0, -1)])
    func `a WAV whose header counts less than there is is read to its end, and says so`(stated: Int, riff: Int) throws {
        let workspace = try Workspace(), samples = testSignal(frames: 12_345, format)
        var data = try wave(workspace, samples)
        data.replaceSubrange(4..<8, with: littleEndian(riff))
        data.replaceSubrange(40..<44, with: littleEndian(stated))
        let path = try workspace.write(data, "crashed.wav"), link = workspace.file("link.wav")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        expectSame(try read(link).samples, samples)
        let (heard, note) = try read(path)
        expectSame(heard, samples)
        #expect(
            note
                == "its header states \(stated) bytes of audio, but 24690 are there: it was not closed. All bytes are read"
        )
    }

    @Test
    func
        `a WAV that is whole, has chunks behind its audio, or says that its length is not known, is read without a word`()
        throws
    {
        let workspace = try Workspace(), samples = testSignal(frames: 3001, format)
        let whole = try wave(workspace, samples)
        let chunk = Data("LIST".utf8) + Data(littleEndian(5)) + Data("INFOx\0".utf8)
        var unknown = whole
        unknown.replaceSubrange(4..<8, with: littleEndian(-1))
        unknown.replaceSubrange(40..<44, with: littleEndian(-1))
        for (name, data) in [("whole", whole), ("chunk", whole + chunk), ("unknown", unknown)] {
            let (heard, note) = try read(try workspace.write(data, name + ".wav"))
            expectSame(heard, samples, name)
            #expect(note == nil, "\(name)")
        }
    }

    @Test func `a WAV of which a part is missing says how much`() throws {
        let workspace = try Workspace(), samples = testSignal(frames: 3000, format)
        let (heard, note) = try read(try workspace.write(try wave(workspace, samples).dropLast(2000), "short.wav"))
        expectSame(heard, Array(samples.prefix(2000)))
        #expect(note == "its header states 6000 bytes of audio, but 4000 are there")
    }

    @Test(arguments: SndfileSinkTests.containers, [WAVEncoding.pcm16, .pcm24])
    func `what another container's header does not count is read as well`(
        container: SndfileFormat, encoding: WAVEncoding
    ) async throws {
        let workspace = try Workspace(), samples = testSignal(frames: 9000, format)
        let options = SndfileSinkTests.options(container, encoding)
        let sink = RepairableSink(SndfileSink.self, options, ending: container.fileExtension)
        // The header counts the first third. Wave64's header is right at every moment.
        let killed = try await sink.killed(samples, format, 0.33)
        let (heard, note) = try read(try workspace.write(killed, sink.name))
        expectSame(heard, samples, "\(container) \(encoding)")
        #expect((note == nil) == (container == .w64), "\(container): \(note ?? "")")
        let whole = try await sink.finished(samples, format)
        let (again, nothing) = try read(try workspace.write(whole, "whole." + container.fileExtension))
        expectSame(again, samples, "\(container) \(encoding)")
        #expect(nothing == nil, "\(container)")
    }

    @Test(arguments: [
        (1, 1), (999, 1), (0, 1), (700_000, 1), (0x7FFF_FFFF, 2), (0xFFFF_FFFF, 1), (16000, 0), (16000, 9),
        (16000, 65535),
    ])
    func `a header with numbers that no call can have is refused in words`(rate: Int, channels: Int) throws {
        let workspace = try Workspace()
        var data = try wave(workspace, testSignal(frames: 3000, format))
        data.replaceSubrange(22..<24, with: littleEndian(channels).prefix(2))
        data.replaceSubrange(24..<28, with: littleEndian(rate))
        data.replaceSubrange(32..<34, with: littleEndian(channels * 2).prefix(2))
        let error = #expect(throws: AudioFileError.self) {
            _ = try AudioFileReader(path: try workspace.write(data, "odd.wav"))
        }
        #expect(error?.reason.isEmpty == false, "\(rate) \(channels)")
    }

    @Test func `any four bytes of a header may be anything, and no reader stops the process`() async throws {
        let workspace = try Workspace(), samples = testSignal(frames: 900, format)
        var files: [(String, Data)] = [("wav", try wave(workspace, samples))]
        for container in SndfileSinkTests.containers {
            let sink = RepairableSink(
                SndfileSink.self, SndfileSinkTests.options(container), ending: container.fileExtension)
            files.append((container.fileExtension, try await sink.finished(samples, format)))
        }
        for stream in SndfileSinkTests.streams {
            let sink = RepairableSink(SndfileSink.self, SndfileSinkTests.options(stream), ending: stream.fileExtension)
            files.append((stream.fileExtension, try await sink.finished(samples, format)))
        }
        files.append(("flac", try await RepairableSink(FLACSink.self).finished(samples, format)))
        for (ending, whole) in files {
            for value in [
                [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF, 0xFF, 0x7F],
                [1, 0, 0, 0x80],
            ] as [[UInt8]] {
                for offset in stride(from: 4, to: min(120, whole.count - 4), by: 2) {
                    var data = whole
                    data.replaceSubrange(offset..<offset + 4, with: value)
                    let path = try workspace.write(data, "odd." + ending)
                    _ = try? read(path)
                    _ = try? SndfileSink.repair(path, format: format, dryRun: true)
                    _ = try? WAVSink.repair(path, format: format, dryRun: true)
                    _ = try? FLACSink.repair(path, format: format, dryRun: true)
                }
            }
        }
    }
}
