import CallreelCore
import CallreelEngine
import CallreelSinks
import Foundation
import Testing

/// Tests common to all built-in sinks and formats.
@Suite struct AllSinksTests {
    @Test(arguments: AudioFormat.supportedSampleRates, [1, 2])
    func `the WAV, the decoded FLAC and the raw file hold the same PCM`(sampleRate: Int, channels: Int) async throws {
        let format = AudioFormat(sampleRate: sampleRate, channels: channels)
        try await expectSamePCM(testSignal(frames: 20_011, format), format)
    }

    @Test(arguments: [0, 1, 2], [1, 2])
    func `a call of no frame or of one is a whole file`(frames: Int, channels: Int) async throws {
        let format = AudioFormat(sampleRate: 16000, channels: channels)
        try await expectSamePCM(testSignal(frames: frames, format), format)
    }

    @Test(arguments: [1, 7, 1151, 1152, 1153, 16000])
    func `how a call is cut into chunks does not matter`(chunkFrames: Int) async throws {
        let format = AudioFormat(sampleRate: 16000)
        try await expectSamePCM(testSignal(frames: 4 * 1152, format), format, chunkFrames: chunkFrames)
    }

    /// Records the samples with each sink, and has an independent program read each file.
    private func expectSamePCM(_ samples: [Int16], _ format: AudioFormat, chunkFrames: Int = 320) async throws {
        let workspace = try Workspace()
        let context = workspace.context(format)
        let frames = samples.count / format.channels
        for receipt in [
            try await record(WAVSink.self, samples, context, chunkFrames: chunkFrames),
            try await record(FLACSink.self, samples, context, chunkFrames: chunkFrames),
            try await record(RawSink.self, samples, context, chunkFrames: chunkFrames),
        ] {
            #expect(receipt.frames == frames)
            #expect(Array(receipt.framesByFile.values) == [frames])
        }
        #expect(context.createdFiles == ["call.wav", "call.flac", "call.raw"])
        let wav = try Tool.pythonWave(workspace.file("call.wav"))
        let flac = try Tool.flac(workspace.file("call.flac"))
        let raw = try Tool.samples(ofRawFile: workspace.file("call.raw"))
        expectSame(wav, samples, "wav")
        expectSame(flac, samples, "flac")
        expectSame(raw, samples, "raw")
        for name in ["call.wav", "call.flac"] {
            #expect(try Tool.soxi("-r", workspace.file(name)) == "\(format.sampleRate)")
            #expect(try Tool.soxi("-c", workspace.file(name)) == "\(format.channels)")
        }
        if frames > 0 { #expect(try Tool.metaflac("--show-total-samples", workspace.file("call.flac")) == "\(frames)") }
    }

    @Test func `a file that exists is refused and left as it is`() async throws {
        let workspace = try Workspace()
        func check<Sink: AudioSink & ~Copyable>(_ type: Sink.Type, _ ending: String = Sink.type) async throws {
            let path = workspace.file("call.\(ending)")
            try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
            let error = await #expect(throws: SinkError.self) {
                _ = try await record(type, [1, 2, 3], workspace.context(AudioFormat(sampleRate: 8000)))
            }
            #expect(error?.code == .open)
            #expect(error?.underlying == EEXIST)
            #expect(error?.description.contains(path) == true)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
        }
        try await check(WAVSink.self)
        try await check(FLACSink.self)
        try await check(RawSink.self)
        try await check(SndfileSink.self, "opus")
    }

    @Test func `the configured mode is the files' mode whatever the umask`() async {
        await #expect(processExitsWith: .success) {
            for mask in [0o777, 0o077, 0o000] as [mode_t] {
                let workspace = try Workspace()
                let context = workspace.context(AudioFormat(sampleRate: 8000))
                umask(mask)
                _ = try await record(WAVSink.self, [1, 2, 3], context)
                _ = try await record(FLACSink.self, [1, 2, 3], context)
                _ = try await record(RawSink.self, [1, 2, 3], context)
                _ = try await record(SndfileSink.self, [1, 2, 3], context)
                umask(0o022)
                #expect(context.createdFiles.count == 4)
                for name in context.createdFiles {
                    let mode =
                        try FileManager.default.attributesOfItem(atPath: workspace.file(name))[.posixPermissions]
                        as? Int
                    #expect(mode == 0o640, "\(name) with umask \(mask)")
                }
            }
        }
    }

    @Test func `the registry of built-in sinks knows these and their options`() throws {
        let types = SinkRegistry.builtIn.types
        #expect(types.map(\.type) == ["exec", "flac", "raw", "sndfile", "wav"])
        #expect(
            types.map { $0.options.map(\.name) } == [
                ["command", "input", "extension", "environment", "deadline"],
                ["level", "blockSize", "verify", "padding"],
                [], ["format", "encoding", "quality"], ["encoding"],
            ])
        #expect(types.allSatisfy { !$0.summary.isEmpty })
    }

    @Test(arguments: [
        (#"{"type": "flac", "level": 12}"#, "sinks[0].level: 12 is outside 0...8"),
        (#"{"type": "flac", "blockSize": 15}"#, "sinks[0].blockSize: 15 is outside 16...4608"),
        (#"{"type": "flac", "padding": 1048577}"#, "sinks[0].padding: 1048577 is outside 0...1048576"),
        (
            #"{"type": "wav", "encoding": "pcm61"}"#,
            #"sinks[0].encoding: "pcm61" is not one of pcm16, pcm24, float, ulaw, alaw; did you"#
        ),
        (
            #"{"type": "sndfile", "format": "ogg"}"#,
            #"sinks[0].format: "ogg" is not one of opus, vorbis, mp3, caf, aiff, w64, rf64, au"#
        ),
        (
            #"{"type": "sndfile", "encoding": "alac"}"#,
            #"sinks[0].encoding: "alac" is not one of pcm16, pcm24, float, ulaw, alaw; did you"#
        ),
        (#"{"type": "sndfile", "quality": 1.1}"#, "sinks[0].quality: 1.1 is outside 0.0...1.0"),
        (#"{"type": "sndfile", "quality": "good"}"#, #"sinks[0].quality: "good" is not a number in 0.0...1.0"#),
        (#"{"type": "raw", "encoding": "pcm16"}"#, "sinks[0].encoding: unknown key; known keys are"),
    ])
    func `options out of range are refused with their path`(entry: String, message: String) throws {
        var problems: [ConfigurationProblem] = []
        let value = try JSONValue(parsing: Data("[\(entry)]".utf8))
        _ = SinkPlan.read(value, at: .root.key("sinks"), registry: .builtIn, problems: &problems)
        #expect(problems.count == 1)
        #expect(problems.first?.description.hasPrefix(message) == true, "\(problems)")
    }
}
