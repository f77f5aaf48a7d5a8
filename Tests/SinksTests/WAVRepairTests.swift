import CallreelCore
import Foundation
import Testing

@testable import CallreelSinks

/// Repaired WAV files, as other programs read them.
@Suite struct WAVRepairTests {
    private func sink(_ encoding: WAVEncoding) -> RepairableSink {
        var options = WAVOptions()
        options.encoding = encoding
        return RepairableSink(WAVSink.self, options)
    }

    /// Returns the offset of the audio in a file of the sink.
    private func dataOffset(_ data: Data) throws -> Int {
        try #require(data.range(of: Data("data".utf8))).upperBound + 4
    }

    @Test(arguments: [0.01, 0.5, 1])
    func `speech cut anywhere opens everywhere, with every whole frame that was there`(checkpointed: Double)
        async throws
    {
        let format = AudioFormat(sampleRate: 16000)
        let speech = Array(try Tool.sox(speechPath).prefix(20_011))
        try await check(
            .pcm16, format, speech, checkpointed: checkpointed, lastBytes: checkpointed == 0.5 ? 3000 : 300, others: 200
        )
    }

    @Test(arguments: WAVEncoding.allCases, [1, 2])
    func `every encoding is made whole, pad byte and fact chunk too`(encoding: WAVEncoding, channels: Int) async throws
    {
        let format = AudioFormat(sampleRate: 8000, channels: channels)
        try await check(
            encoding, format, testSignal(frames: 3001, format), checkpointed: 0.7, lastBytes: 200, others: 100)
    }

    private func check(
        _ encoding: WAVEncoding, _ format: AudioFormat, _ samples: [Int16], checkpointed: Double, lastBytes: Int,
        others: Int
    ) async throws {
        let sink = sink(encoding)
        let data = try await sink.killed(samples, format, checkpointed), offset = try dataOffset(data)
        let frameBytes = encoding.bytesPerSample * format.channels
        #expect(data.count == offset + samples.count / format.channels * frameBytes)
        let places = cuts(data.count, from: offset, lastBytes: lastBytes, others: others)
        for batch in stride(from: 0, to: places.count, by: 200).map({ Array(places[$0..<min($0 + 200, places.count)]) })
        {
            let workspace = try Workspace()
            var frameCounts: [Int] = []
            for (index, length) in batch.enumerated() {
                let path = try workspace.write(data.prefix(length), String(format: "%04d.wav", index))
                let frames = (length - offset) / frameBytes
                frameCounts.append(frames)
                #expect(try repaired(sink, path, format)?.frames == frames, "cut at \(length)")
                let whole = try contents(path)
                #expect(whole[offset..<offset + frames * frameBytes] == data[offset..<offset + frames * frameBytes])
                #expect(whole.count == offset + frames * frameBytes + frames * frameBytes % 2)
                if let fact = whole.prefix(offset).range(of: Data("fact".utf8))?.upperBound {
                    #expect(whole[fact + 4..<fact + 8].reversed().reduce(0) { $0 << 8 | Int($1) } == frames)
                } else {
                    #expect(encoding == .pcm16 || encoding == .pcm24)
                }
            }
            try judge(workspace, encoding, samples, frameCounts, channels: format.channels)
        }
    }

    /// Asks sox, libsndfile's own tool and, for its encodings, Python.
    private func judge(
        _ workspace: Workspace, _ encoding: WAVEncoding, _ samples: [Int16], _ frames: [Int], channels: Int
    ) throws {
        let soxi = try Tool.run("sh", "-c", "soxi -s \(workspace.path)/*.wav")
        // Its warnings would be here, about a header that does not agree with the file.
        #expect(soxi.status == 0, "\(soxi.errors.prefix(300))")
        // libsndfile writes the short form of a header for floating point, and sox warns about that.
        let remarks = soxi.errors.split(separator: "\n").filter {
            !$0.hasSuffix("wave header missing extended part of fmt chunk")
        }
        #expect(remarks.isEmpty, "\(remarks.prefix(3))")
        #expect(soxi.text.split(separator: "\n").map { Int($0) } == frames)
        let info = try Tool.run("sh", "-c", "sndfile-info \(workspace.path)/*.wav")
        #expect(
            info.text.components(separatedBy: "\nFrames      : ").dropFirst().map { Int($0.prefix { $0 != "\n" }) }
                == frames)
        // sndfile-info complains about the odd size of libsndfile's own files, although their pad byte is there.
        let faults = info.text.split(separator: "\n").filter {
            $0.hasPrefix("***") && !$0.hasSuffix("should be an even number of bytes in length.")
        }
        #expect(faults.isEmpty, "\(faults.prefix(3))")
        guard encoding == .pcm16 || encoding == .pcm24 else { return }
        let reference = try workspace.write(unsafe samples.withUnsafeBytes { unsafe Data($0) }, "reference")
        let script = """
            import sys, wave, glob
            reference = open(sys.argv[1], 'rb').read()
            for path in sorted(glob.glob(sys.argv[2] + '/*.wav')):
                w = wave.open(path)
                heard = w.readframes(w.getnframes())
                if w.getsampwidth() == 3:
                    assert not any(heard[0::3]), path
                    heard = b''.join(heard[i + 1:i + 3] for i in range(0, len(heard), 3))
                assert heard == reference[:len(heard)], path
                print(len(heard) // 2 // \(channels))
            """
        let python = try Tool.run("python3", "-c", script, reference, workspace.path)
        #expect(python.status == 0, "\(python.errors)")
        #expect(python.text.split(separator: "\n").map { Int($0) } == frames)
    }

    @Test(arguments: WAVEncoding.allCases)
    func `a repair ended between any two of its steps finishes when it is run again`(encoding: WAVEncoding) async throws
    {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 8000)
        let sink = sink(encoding)
        for checkpointed in [0.5, 0.9995, 1] {
            let data = try await sink.killed(testSignal(frames: 2001, format), format, checkpointed),
                offset = try dataOffset(data)
            let path = try workspace.write(data.dropLast(encoding.bytesPerSample - 1), sink.name)
            let frames = try #require(try repaired(sink, path, format)).frames
            #expect(frames == (encoding.bytesPerSample == 1 ? 2001 : 2000))
            let whole = try contents(path)
            // The places that a repair writes, in its order. The bytes behind them are unchanged.
            var partial = Data(
                data.dropLast(encoding.bytesPerSample - 1).prefix(offset + frames * encoding.bytesPerSample))
            let fact = partial.prefix(offset).range(of: Data("fact".utf8)).map { $0.upperBound + 4 }
            for place in [fact, offset - 4, 4] {
                guard let place else { continue }
                partial[place..<place + 4] = whole[place..<place + 4]
                let path = try workspace.write(partial, sink.name)
                #expect(try repaired(sink, path, format)?.frames == frames)
                #expect(try contents(path) == whole, "ended after writing at \(place)")
            }
        }
    }

    @Test func `one frame of G.711 after an odd checkpoint is a frame, and the pad of a closed file is none`()
        async throws
    {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 8000)
        let sink = sink(.ulaw)
        let torn = try await sink.killed(testSignal(frames: 1001, format), format, 1)
        let path = try workspace.write(torn + [0], sink.name)
        #expect(try repaired(sink, path, format)?.frames == 1002)
        let closed = try workspace.write(try await sink.finished(testSignal(frames: 1001, format), format), sink.name)
        #expect(try repaired(sink, closed, format)?.isWhole(1001) == true)
    }

    @Test(arguments: [1000, 1001])
    func `chunks behind the audio are not audio`(frames: Int) async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 8000)
        for encoding in [WAVEncoding.pcm16, .ulaw] {
            let sink = sink(encoding)
            var data = try await sink.finished(testSignal(frames: frames, format), format)
            data += Data("LIST".utf8) + [5, 0, 0, 0] + Data("abcde".utf8) + [0] + Data("JUNK".utf8) + [0, 0, 0, 0]
            data.replaceSubrange(4..<8, with: littleEndian(data.count - 8))
            let path = try workspace.write(data, sink.name)
            #expect(try repaired(sink, path, format)?.isWhole(frames) == true)
            // A RIFF size that is too small hides the chunks. The repair corrects it, and the chunks stay.
            var hidden = data
            hidden.replaceSubrange(4..<8, with: littleEndian(data.count - 30))
            #expect(try repaired(sink, try workspace.write(hidden, sink.name), format)?.change == "sizes in the header")
            #expect(try contents(path) == data)
            #expect(try sink.decode(path, format).samples.count == frames)
        }
    }

    @Test func `silence behind a stale header is audio, though it reads as empty chunks`() async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 8000)
        let sink = sink(.pcm16)
        let data = try await sink.killed([Int16](repeating: 0, count: 1000), format, 0.5)
        let path = try workspace.write(data, sink.name)
        #expect(try repaired(sink, path, format)?.change == "length in the header from 500 to 1000 frames")
        #expect(try Tool.pythonWave(path).count == 1000)
    }

    @Test func `a header of chunks without an end is refused at once`() throws {
        let workspace = try Workspace()
        let path = try workspace.write(Data("RIFF\0\0\0\0WAVE".utf8), "call.wav")
        #expect(unsafe truncate(path, 1 << 40) == 0)
        let error = #expect(throws: SinkError.self) {
            try WAVSink.repair(path, format: AudioFormat(sampleRate: 8000), dryRun: false)
        }
        #expect(error?.description == "\(path): no audio among its first 256 chunks")
        let long = try workspace.write(try Data(contentsOf: URL(fileURLWithPath: speechPath)), "call.wav")
        #expect(unsafe truncate(long, 1 << 33) == 0)
        let tooLong = #expect(throws: SinkError.self) {
            try WAVSink.repair(long, format: AudioFormat(sampleRate: 16000), dryRun: false)
        }
        #expect(tooLong?.description.contains("more than its header can state") == true)
    }
}
