import CallreelCore
import Foundation
import Testing

@testable import CallreelSinks

/// Repaired FLAC files, as the reference decoder reads them.
@Suite struct FLACRepairTests {
    private let sink = RepairableSink(FLACSink.self)

    /// Returns the offset of the audio: behind STREAMINFO, tags and padding.
    private func audioOffset(_ path: String, _ format: AudioFormat) throws -> Int {
        try FLACFile(path, format: format).audioOffset
    }

    @Test(arguments: [0.5, 1])
    func `speech cut anywhere passes the reference decoder, MD5 and all, and lacks at most one block`(
        checkpointed: Double
    ) async throws {
        let format = AudioFormat(sampleRate: 16000)
        let speech = Array(try Tool.sox(speechPath).dropFirst(40_000).prefix(checkpointed == 1 ? 16_100 : 50_000))
        try await check(
            format, speech, checkpointed: checkpointed, lastBytes: checkpointed == 1 ? 3000 : 100, others: 200)
    }

    @Test(arguments: AudioFormat.supportedSampleRates, [1, 2])
    func `every rate and channel count is made whole`(sampleRate: Int, channels: Int) async throws {
        let format = AudioFormat(sampleRate: sampleRate, channels: channels)
        try await check(format, testSignal(frames: 7000, format), checkpointed: 0.5, lastBytes: 20, others: 60)
    }

    private func check(_ format: AudioFormat, _ samples: [Int16], checkpointed: Double, lastBytes: Int, others: Int)
        async throws
    {
        let workspace = try Workspace()
        let data = try await sink.killed(samples, format, checkpointed)
        let offset = try audioOffset(try workspace.write(data, sink.name), format)
        let blockSize = FLACOptions().blockSize(at: format.sampleRate)
        var judged: [Int: Data] = [:]
        // The borders of blocks, without asking the decoder under test: the least length with a given frame count.
        var lengths: [(cut: Int, frames: Int)] = []
        for length in cuts(data.count, from: offset, lastBytes: lastBytes, others: others) {
            let path = try workspace.write(data.prefix(length), sink.name)
            let result = try #require(try repaired(sink, path, format))
            let whole = try contents(path)
            lengths.append((length, result.frames))
            #expect(result.frames % blockSize == 0)
            #expect(whole.count == length - result.bytesCut)
            #expect(whole[42...] == data[42..<whole.count], "more than STREAMINFO was changed")
            // Every cut with this many blocks must give this file.
            if let other = judged[result.frames] {
                #expect(whole == other, "cut at \(length)")
                continue
            }
            judged[result.frames] = whole
            // For flac, a file without a frame has unknown length, even if flac made it.
            let test = try Tool.run(
                "flac", "--test", "--silent", result.frames > 0 ? "--warnings-as-errors" : "--totally-silent", path)
            #expect(test.status == 0, "cut at \(length): \(test.errors)")
            if result.frames > 0 { #expect(try Tool.metaflac("--show-total-samples", path) == "\(result.frames)") }
            expectSame(try Tool.flac(path), Array(samples.prefix(result.frames * format.channels)), "cut at \(length)")
            if result.frames > 0 { #expect(try Tool.soxi("-s", path) == "\(result.frames)") }
        }
        // All the blocks that the encoder had written, and at any cut all blocks that ended before it.
        #expect(judged.keys.max() == samples.count / format.channels / blockSize * blockSize)
        for (cut, frames) in lengths {
            let next = judged[frames + blockSize]?.count
            #expect(judged[frames]!.count <= cut && next.map { $0 > cut } ?? true, "cut at \(cut)")
        }
    }

    @Test(arguments: [1, 575, 576, 577, 5000], [1, 2])
    func `a file killed while it was being finished becomes the one that the encoder makes`(frames: Int, channels: Int)
        async throws
    {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 8000, channels: channels)
        let whole = try await sink.finished(testSignal(frames: frames, format), format)
        // In the encoder's order: MD5, length, frame sizes. Each may be missing.
        let missing: [[Range<Int>]] = [[26..<42, 22..<26, 12..<18], [22..<26, 12..<18]]
        for ranges in missing {
            var data = whole
            for range in ranges { data.resetBytes(in: range) }
            let path = try workspace.write(data, sink.name)
            #expect(try repaired(sink, path, format)?.frames == frames)
            #expect(try contents(path) == whole)
        }
        var last = whole
        last.resetBytes(in: 12..<18)
        #expect(
            try repaired(sink, try workspace.write(last, sink.name), format)?.isWhole(frames) == true,
            "whole without frame sizes")
    }

    @Test func `a repair ended after the cut says no length, and finishes when it is run again`() async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let data = try await sink.killed(testSignal(frames: 9000, format), format, 0.5)
        let path = try workspace.write(data.dropLast(100), sink.name)
        let first = try #require(try repaired(sink, path, format))
        let whole = try contents(path)
        let between = try workspace.write(data.prefix(42) + whole[42...], sink.name)
        #expect(try Tool.metaflac("--show-total-samples", between) == "0")
        #expect(try repaired(sink, between, format)?.frames == first.frames)
        #expect(try contents(between) == whole)
    }

    @Test func `a finished file that lost its end gets the length of what is left`() async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let samples = testSignal(frames: 9000, format)
        let data = try await sink.finished(samples, format)
        let path = try workspace.write(data.dropLast(1), sink.name)
        #expect(try repaired(sink, path, format)?.frames == 7 * 1152)
        #expect(try Tool.run("flac", "-t", "-w", path).status == 0)
        expectSame(try Tool.flac(path), Array(samples.prefix(7 * 1152)))
        // Also at the end of a block, where no data is torn, and with a length outdated by one block.
        var stale = data
        stale[25] = 8
        stale[24] = 0
        #expect(try repaired(sink, try workspace.write(stale, sink.name), format)?.frames == 9000)
        #expect(try contents(path) == data)
    }

    @Test func `damage with audio behind it is named, and the file is left alone`() async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let data = try await sink.killed(testSignal(frames: 20_000, format), format, 0.5)
        let offset = try audioOffset(try workspace.write(data, sink.name), format)
        var dice = Dice(3)
        // Up to the last but one of the blocks.
        let border = offset + (data.count - offset) / 17 * 15
        for _ in 0..<200 {
            var broken = data
            broken[Int.random(in: offset..<border, using: &dice)] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
            let path = try workspace.write(broken, sink.name)
            _ = try repaired(sink, path, format, refusal: "with audio after it: left unchanged")
        }
        for zeros in [offset..<offset + 512, border - 4096..<border] {
            var broken = data
            broken.resetBytes(in: zeros)
            _ = try repaired(
                sink, try workspace.write(broken, sink.name), format, refusal: "audio after it: left unchanged")
        }
        // A block disappears without a trace.
        let file = try FLACFile(try workspace.write(data, sink.name), format: format)
        var decoder = try FLACDecoder(file.file, from: offset, info: file.info)
        var ends: [Int] = []
        while case .block(let block) = try decoder.next() { ends.append(block.end) }
        #expect(ends.count == 17)
        let gap = try workspace.write(data[..<ends[4]] + data[ends[5]...], sink.name)
        _ = try repaired(
            sink, gap, format, refusal: "a block of frame 6912 is after frame 5760 (byte \(ends[4]))")
        // A damaged block at the very end is cut away like a torn one.
        var end = data
        end[ends[15] + 100] ^= 1
        let path = try workspace.write(end, sink.name)
        #expect(try repaired(sink, path, format)?.frames == 16 * 1152)
        #expect(try contents(path).count == ends[15])
    }

    @Test func `zeros that a power loss left behind the audio are cut, and a great deal of anything else is not`()
        async throws
    {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let data = try await sink.killed(testSignal(frames: 20_000, format), format, 0.5)
        let zeros = try workspace.write(data.dropLast(500) + Data(count: 1_000_000), sink.name)
        #expect(try repaired(sink, zeros, format)?.frames == 16 * 1152)
        #expect(try Tool.run("flac", "-t", "-w", zeros).status == 0)
        var dice = Dice(5)
        let noise = Data((0..<100_000).map { _ in UInt8.random(in: .min ... .max, using: &dice) })
        _ = try repaired(
            sink, try workspace.write(data + noise, sink.name), format,
            refusal: "are neither a torn block nor zeros: left unchanged")
    }

    @Test func `a file full of headers that lead nowhere is given up`() async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let data = try await sink.killed(testSignal(frames: 3000, format), format, 0.5)
        let offset = try audioOffset(try workspace.write(data, sink.name), format)
        let whole = (6...16).first { FLACFrameHeader(Array(data[offset..<offset + $0])[...], channels: 1) != nil }!
        let trap = Data(repeatElement(data[offset..<offset + whole], count: 20_000).joined())
        _ = try repaired(
            sink, try workspace.write(data.prefix(offset) + trap, sink.name), format,
            refusal: "too much damage after byte \(offset)")
    }
}
