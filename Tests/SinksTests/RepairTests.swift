import CallreelCore
import Foundation
import Testing

@testable import CallreelSinks

/// Tests common to the repair of every built-in sink's files.
@Suite struct RepairTests {
    static let sinks =
        [RepairableSink(FLACSink.self), RepairableSink(RawSink.self)]
        + WAVEncoding.allCases.map { encoding in
            var options = WAVOptions()
            options.encoding = encoding
            return RepairableSink(WAVSink.self, options, "wav \(encoding)")
        } + SndfileSinkTests.counted

    @Test(arguments: sinks, [AudioFormat(sampleRate: 8000), AudioFormat(sampleRate: 24000, channels: 2)])
    func `a finished file is left as it is, to the byte`(sink: RepairableSink, format: AudioFormat) async throws {
        let workspace = try Workspace()
        for frames in [0, 1, 2, 575, 576, 577, 5001] {
            let data = try await sink.finished(testSignal(frames: frames, format), format)
            let path = try workspace.write(data, sink.name)
            #expect(try repaired(sink, path, format)?.isWhole(frames) == true)
            #expect(try contents(path) == data)
        }
    }

    @Test(arguments: sinks)
    func `a healthy file is not opened for writing`(sink: RepairableSink) async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let path = try workspace.write(try await sink.finished(testSignal(frames: 3000, format), format), sink.name)
        let long = Date(timeIntervalSince1970: 1_000_000)
        try FileManager.default.setAttributes([.modificationDate: long, .posixPermissions: 0o400], ofItemAtPath: path)
        #expect(try repaired(sink, path, format)?.isWhole(3000) == true)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date == long)
    }

    @Test(arguments: sinks)
    func `what is no file of this kind is refused by name`(sink: RepairableSink) async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        try FileManager.default.createDirectory(atPath: workspace.file("directory"), withIntermediateDirectories: true)
        let target = try workspace.write(
            try await sink.finished(testSignal(frames: 3000, format), format) + [0], "target")
        try FileManager.default.createSymbolicLink(atPath: workspace.file("link"), withDestinationPath: target)
        #expect(unsafe mkfifo(workspace.file("fifo"), 0o600) == 0)
        for name in ["missing", "directory", "link", "fifo"] {
            for dryRun in [true, false] {
                let error = #expect(throws: SinkError.self) { try sink.repair(workspace.file(name), format, dryRun) }
                #expect(error?.description.contains(workspace.file(name)) == true)
            }
            #expect(throws: SinkError.self) { try sink.decode(workspace.file(name), format) }
        }
        if sink.name == "call.raw" { return }
        let other = AudioFormat(sampleRate: 16000, channels: 2)
        _ = try repaired(sink, target, other, refusal: "but the call had 16000 Hz, 2 channels")
        let text = try workspace.write(Data("This is a letter, and a long one at that, about nothing.".utf8), "letter")
        _ = try repaired(sink, text, format, refusal: "not a ")
        let empty = try workspace.write(Data(), "empty")
        _ = try repaired(sink, empty, format, refusal: "cannot find audio in \(empty)")
    }

    @Test(arguments: sinks.filter { $0.name != "call.raw" })
    func `a file killed before its header was complete holds no audio, and is left`(sink: RepairableSink) async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let data = try await sink.killed([], format, 0)
        for length in 0..<data.count where length < 200 || length % 101 == 0 || length > data.count - 40 {
            let path = try workspace.write(data.prefix(length), sink.name)
            _ = try repaired(sink, path, format, refusal: "cannot find audio in")
        }
        let path = try workspace.write(data, sink.name)
        #expect(try repaired(sink, path, format)?.frames == 0)
    }

    @Test(arguments: sinks, 1...4)
    func `whatever the damage, nothing crashes, hangs or grows`(sink: RepairableSink, seed: Int) async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000, channels: 2)
        var dice = Dice(UInt64(seed))
        let samples = testSignal(frames: 1700, format)
        let models = [
            try await sink.finished(samples, format), try await sink.killed(samples, format, 0.4), Data(count: 3000),
            Data((0..<3000).map { _ in UInt8.random(in: .min ... .max, using: &dice) }),
        ]
        let start = ContinuousClock.now
        for _ in 0..<150 {
            var data = models[[0, 0, 1, 1, 1, 1, 2, 3].randomElement(using: &dice)!]
            for _ in 0..<Int.random(in: 1...4, using: &dice) {
                guard !data.isEmpty else { break }
                // Mostly in the header, because the lengths are there.
                let place =
                    Int.random(in: 0..<[60, 600, data.count].randomElement(using: &dice)!, using: &dice) % data.count
                let end = min(data.count, place + [1, 2, 4, 30, 500].randomElement(using: &dice)!)
                switch Int.random(in: 0..<6, using: &dice) {
                case 0: data[place] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
                case 1: for index in place..<end { data[index] = 0xFF }
                case 2: for index in place..<end { data[index] = 0 }
                case 3: for index in place..<end { data[index] = UInt8.random(in: .min ... .max, using: &dice) }
                case 4: data.removeSubrange(place..<end)
                default: data = data.prefix(place)
                }
            }
            let path = try workspace.write(data, sink.name)
            if let result = try repaired(sink, path, format) {
                let size = try contents(path).count
                #expect(size <= data.count + 1 && size >= data.count - result.bytesCut)
                // An accepted repair decodes to the same length, unless a decoder finds damage beyond a repair's reach.
                do throws(SinkError) {
                    #expect(try sink.decode(path, format).file?.frames == result.frames)
                } catch {
                    #expect(error.description.contains(path))
                }
            } else {
                do throws(SinkError) { _ = try sink.decode(path, format) } catch {
                    #expect(error.description.contains(path))
                }
            }
        }
        #expect(ContinuousClock.now - start < .seconds(120))
    }

    @Test(arguments: [1, 2])
    func `a raw file cut anywhere keeps its whole frames`(channels: Int) async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 8000, channels: channels)
        let sink = RepairableSink(RawSink.self)
        let data = try await sink.killed(testSignal(frames: 2000, format), format, 0.5)
        for length in cuts(data.count, from: 0, lastBytes: 300, others: 100) {
            let path = try workspace.write(data.prefix(length), sink.name)
            let frames = length / format.bytesPerFrame, rest = length % format.bytesPerFrame
            let result = try repaired(sink, path, format)
            #expect(result?.frames == frames && result?.bytesCut == rest)
            #expect(try contents(path) == data.prefix(length - rest))
        }
    }
}
