import CallreelSinks
import Foundation
import Logging
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// Calls ended by a kill or a power cut, made from the files of built-in sinks.
@Suite struct InterruptedCallTests {
    /// A directory with the files of one interrupted call.
    private struct Bench {
        let workspace: Workspace
        let id = RecordingID()
        let format: AudioFormat
        let samples: [Int16]

        init(_ format: AudioFormat = AudioFormat(sampleRate: 8000), frames: Int = 20_000) throws {
            workspace = try Workspace()
            self.format = format
            samples = testSignal(frames: frames, format)
            try FileManager.default.createDirectory(
                atPath: workspace.file(".partial/\(id)"), withIntermediateDirectories: true)
        }

        func path(_ name: String) -> String { workspace.file(".partial/\(id)/\(name)") }

        /// Writes a file as a killed sink leaves it.
        func kill<Sink: AudioSink & ~Copyable>(
            _: Sink.Type, _ options: Sink.Options = .init(), ending: String, as name: String
        ) async throws {
            let sink = RepairableSink(Sink.self, options, ending: ending)
            try await sink.killed(samples, format, 0.5).write(to: URL(fileURLWithPath: path(name)))
        }

        /// Writes the manifest of the running call, with a sink for each file.
        func plant(_ sinks: [(type: String, file: String)]) throws {
            var manifest = CallLedger(
                id: id, name: "day/call", call: CallFacts(carrier: "test"), format: format,
                startedAt: Date(timeIntervalSince1970: 900_000_000),
                sinks: sinks.map { sink in
                    var entry = CallLedger.Sink(type: sink.type, name: sink.type, state: .recording)
                    entry.files = [.init(name: sink.file, bytes: 0, start: .start)]
                    return entry
                })
            manifest.framesReceived = samples.count / format.channels
            try manifest.encoded().write(to: URL(fileURLWithPath: path("call.json")))
        }

        func recover(template: String = "{date}/{id}", settling: Recovery.Settlement = .none) throws -> [Recovery
            .Finding]
        {
            let store = RecordingStore(directory: workspace.path, template: try NameTemplate(template))
            return Recovery(
                store: store, registry: .builtIn, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            .run(settling: settling)
        }

        func published() throws -> Recording {
            let verification = Verification(directory: workspace.path, registry: .builtIn)
            let survey = try verification.survey()
            #expect(survey.problems == [])
            let recording = try #require(survey.recordings.first)
            #expect(survey.recordings.count == 1 && verification.check(recording).problems == [])
            return recording
        }

        /// Returns the samples of a sink's file, as other programs read them.
        func heard(_ recording: Recording, _ sink: String) throws -> [Int16] {
            let file = try #require(recording.sinks.first { $0.name == sink }?.files.first).name
            switch (file as NSString).pathExtension {
            case "wav": return try Tool.pythonWave(workspace.file(file))
            case "flac": return try Tool.flac(workspace.file(file))
            default: return try Tool.samples(ofRawFile: workspace.file(file))
            }
        }
    }

    @Test(arguments: [(8000, 1), (24000, 2)])
    func `a call whose manifest is lost is published by its id, its names and what its files say`(
        rate: Int, channels: Int
    ) async throws {
        let bench = try Bench(AudioFormat(sampleRate: rate, channels: channels))
        try await bench.kill(RawSink.self, ending: "raw", as: "101500Z-44-abc.raw")
        try await bench.kill(WAVSink.self, ending: "wav", as: "101500Z-44-abc.wav")
        try await bench.kill(FLACSink.self, ending: "flac", as: "101500Z-44-abc.second.flac")
        try Data().write(to: URL(fileURLWithPath: bench.path("101500Z-44-abc.json")))
        #expect(try bench.recover().map(\.problems) == [[]])
        let recording = try bench.published()
        #expect(recording.id == bench.id && recording.format == bench.format)
        #expect(recording.name.hasSuffix("/101500Z-44-abc"))
        #expect(recording.sinks.map(\.name).sorted() == ["raw", "second", "wav"])
        #expect(recording.endReason.contains("manifest was lost") == true)
        #expect(recording.framesReceived == 20_000)
        expectSame(try bench.heard(recording, "raw"), bench.samples, "raw")
        expectSame(try bench.heard(recording, "wav"), bench.samples, "wav")
        let flac = try bench.heard(recording, "second")
        expectSame(flac, Array(bench.samples.prefix(flac.count)), "flac")
        #expect(try bench.recover().isEmpty)
    }

    @Test func `a torn manifest beside the audio is kept, and the audio published`() async throws {
        let bench = try Bench()
        try await bench.kill(WAVSink.self, ending: "wav", as: "call.wav")
        try Data("{\"id\" : \"".utf8).write(to: URL(fileURLWithPath: bench.path("call.json")))
        #expect(try bench.recover().map(\.problems) == [[]])
        expectSame(try bench.heard(try bench.published(), "wav"), bench.samples)
        #expect(
            try contents(bench.workspace.file(".callreel/unrepaired/\(bench.id)/call.json"))
                == Data("{\"id\" : \"".utf8))
    }

    @Test func `what no sink understands waits without a manifest, and is put aside when it is settled`() throws {
        let bench = try Bench()
        try Data("no audio".utf8).write(to: URL(fileURLWithPath: bench.path("call.wav")))
        #expect(try bench.recover().first?.problems.first?.contains("no readable manifest") == true)
        #expect(try bench.recover(settling: .all).first?.problems == [])
        #expect(try bench.recover().isEmpty)
        #expect(
            try contents(bench.workspace.file(".callreel/unrepaired/\(bench.id)/call.wav")) == Data("no audio".utf8))
    }

    /// A power cut may leave a file longer than its data: the rest of its last block reads as zeros.
    @Test func `zeros that a power cut left at the end are cut, and those that a kill left are audio`() async throws {
        for isPowerCut in [true, false] {
            let bench = try Bench(frames: 10_001)
            try await bench.kill(RawSink.self, ending: "raw", as: "call.raw")
            try await bench.kill(WAVSink.self, ending: "wav", as: "call.wav")
            try bench.plant([("raw", "call.raw"), ("wav", "call.wav")])
            for name in ["call.raw", "call.wav"] {
                let file = try FileHandle(forWritingTo: URL(fileURLWithPath: bench.path(name)))
                try file.seekToEnd()
                try file.write(contentsOf: Data(count: 80))
                try file.close()
                // Before the machine was started, or after.
                let time = isPowerCut ? Date(timeIntervalSince1970: 900_000_100) : Date()
                try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: bench.path(name))
            }
            #expect(try bench.recover().map(\.problems) == [[]])
            let recording = try bench.published()
            let expected = bench.samples + (isPowerCut ? [] : Array(repeating: 0, count: 40))
            expectSame(try bench.heard(recording, "raw"), expected, "raw")
            expectSame(try bench.heard(recording, "wav"), expected, "wav")
            #expect(recording.framesReceived == expected.count)
        }
    }

    @Test func `zeros before the last block, and what was synced, are never cut`() async throws {
        let bench = try Bench(frames: 20_000)
        try bench.plant([("raw", "call.raw")])
        var audio = Data(count: 40_000)
        audio[0] = 1
        try audio.write(to: URL(fileURLWithPath: bench.path("call.raw")))
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 900_000_100)], ofItemAtPath: bench.path("call.raw"))
        _ = try bench.recover()
        let recording = try bench.published()
        // 40,000 bytes are nine blocks of 4096 and a part of the tenth.
        #expect(recording.sinks[0].written == 9 * 4096 / 2 && recording.framesReceived == 20_000)
        #expect(recording.sinks[0].ranges?.lost == FrameRanges([9 * 2048..<20_000]))
    }

    /// A file may also be longer than its data in an archive repaired by an older program.
    @Test func `verification compares what sinks hold where they are not equally long, and finds the difference`()
        async throws
    {
        let bench = try Bench(frames: 10_000)
        try await bench.kill(RawSink.self, ending: "raw", as: "call.raw")
        try await bench.kill(WAVSink.self, ending: "wav", as: "call.wav")
        try bench.plant([("raw", "call.raw"), ("wav", "call.wav")])
        let wav = try FileHandle(forUpdating: URL(fileURLWithPath: bench.path("call.wav")))
        let end = try wav.seekToEnd()
        try wav.seek(toOffset: end - 600)
        try wav.write(contentsOf: Data(count: 400))
        try wav.truncate(atOffset: end - 200)
        try wav.close()
        _ = try bench.recover()
        let verification = Verification(directory: bench.workspace.path, registry: .builtIn)
        let recording = try #require(verification.survey().recordings.first)
        #expect(recording.sinks.map(\.lost) == [0, 100])
        let problems = verification.check(recording).problems.map(\.reason)
        #expect(problems == ["wav and raw do not hold the same audio in the frames 0..<9900"])
    }

    @Test func `verification finds sound where the manifest says silence`() async throws {
        let bench = try Bench(frames: 10_000)
        try await bench.kill(FLACSink.self, ending: "flac", as: "call.flac")
        try await bench.kill(WAVSink.self, ending: "wav", as: "call.wav")
        try bench.plant([("flac", "call.flac"), ("wav", "call.wav")])
        var manifest = try CallLedger(json: try contents(bench.path("call.json")))
        for (frame, type) in [(3000, CallEvent.paused), (4000, CallEvent.resumed)] {
            manifest.events.append(.init(frame: FramePosition(frame), at: manifest.startedAt, type: type, data: [:]))
        }
        manifest.sinks[1].onPause = .record
        try manifest.encoded().write(to: URL(fileURLWithPath: bench.path("call.json")))
        _ = try bench.recover()
        let verification = Verification(directory: bench.workspace.path, registry: .builtIn)
        let recording = try #require(verification.survey().recordings.first)
        #expect(
            verification.check(recording).problems.map(\.reason) == [
                "flac has sound from frame 3000 on, where its manifest states silence"
            ])
    }

    @Test func `a pause that a kill left open ends where the files have sound again`() async throws {
        let bench = try Bench(frames: 10_000)
        try await bench.kill(FLACSink.self, ending: "flac", as: "call.flac")
        try await bench.kill(RawSink.self, ending: "raw", as: "call.raw")
        // The first 500 frames behind the beginning of the pause are silent.
        let raw = try FileHandle(forWritingTo: URL(fileURLWithPath: bench.path("call.raw")))
        try raw.seek(toOffset: 6000)
        try raw.write(contentsOf: Data(count: 1000))
        try raw.close()
        try bench.plant([("raw", "call.raw"), ("flac", "call.flac")])
        var manifest = try CallLedger(json: try contents(bench.path("call.json")))
        manifest.events.append(.init(frame: FramePosition(3000), at: manifest.startedAt, type: CallEvent.paused))
        for index in manifest.sinks.indices { manifest.sinks[index].files[0].start = .start }
        manifest.sinks[1].onPause = .record
        try manifest.encoded().write(to: URL(fileURLWithPath: bench.path("call.json")))
        _ = try bench.recover()
        let verification = Verification(directory: bench.workspace.path, registry: .builtIn)
        let recording = try #require(verification.survey().recordings.first)
        let resumed = try #require(recording.events.last { $0.type == CallEvent.resumed })
        #expect(resumed.frame.frames == 3500 && recording.pauses == [3000..<3500])
        #expect(recording.sinks.map(\.masked) == [500, nil] && recording.sinks[0].written == 9500)
    }

    @Test func `a call without audio leaves no files, and is not complete`() async throws {
        let workspace = try Workspace()
        var problems: [ConfigurationProblem] = []
        let sinks =
            #"[{"type": "wav"}, {"type": "flac"}, {"type": "raw"}, {"type": "sndfile", "format": "opus"}, {"type": "sndfile", "format": "w64"}]"#
        let plans = SinkPlan.read(
            try JSONValue(parsing: Data(sinks.utf8)), at: .root, registry: .builtIn, problems: &problems)
        try #require(problems.isEmpty, "\(problems)")
        let store = RecordingStore(directory: workspace.path, template: try NameTemplate("call"))
        try store.prepare()
        let recorder = Recorder(
            store: store, settings: RecorderSettings(sinks: plans), registry: .builtIn,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let call = recorder.begin(
            CallStart(CallFacts(carrier: "test"), format: AudioFormat(sampleRate: 16000)), source: IdleSource())
        call.session.end("over")
        let recording = try await call.result.value.get()
        #expect(recording.sinks.map(\.state) == Array(repeating: .empty, count: 5))
        #expect(recording.sinks.flatMap(\.files).isEmpty)
        let left = try FileManager.default.subpathsOfDirectory(atPath: workspace.path).filter {
            !$0.hasPrefix(".partial/")
        }
        #expect(left.sorted() == [".partial", "call.json"])
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: workspace.file(".partial")).allSatisfy {
                RecordingID($0) == nil
            })
    }

    /// In the first second of a call, a header is followed by zeros: silence, or data that never reached the disk.
    @Test func `zeros of a header are not cut after a power cut`() async throws {
        let bench = try Bench(frames: 800)
        try await bench.kill(FLACSink.self, ending: "flac", as: "call.flac")
        try await bench.kill(WAVSink.self, ending: "wav", as: "call.wav")
        let flac = try #require(
            try FLACSink.repair(bench.path("call.flac"), format: bench.format, dryRun: true)?.audioStart)
        try (try contents(bench.path("call.flac")).prefix(flac) + Data(count: 900)).write(
            to: URL(fileURLWithPath: bench.path("call.flac")))
        let start = try #require(
            try WAVSink.repair(bench.path("call.wav"), format: bench.format, dryRun: true)?.audioStart)
        try (try contents(bench.path("call.wav")).prefix(start) + Data(count: 1600)).write(
            to: URL(fileURLWithPath: bench.path("call.wav")))
        try bench.plant([("flac", "call.flac"), ("wav", "call.wav")])
        var ledger = try CallLedger(json: try contents(bench.path("call.json")))
        ledger.boot = "an earlier boot"
        try ledger.encoded().write(to: URL(fileURLWithPath: bench.path("call.json")))
        #expect(try bench.recover().map(\.problems) == [[]])
        let recording = try bench.published()
        #expect(recording.sinks.map(\.state) == [.recovered, .recovered])
    }

    /// libsndfile would take audio that begins with `RIFF`, after the part that the header counts, for a chunk.
    @Test func `audio that looks like a chunk does not keep a WAV from its repair`() async throws {
        let bench = try Bench(frames: 8000)
        try await bench.kill(WAVSink.self, ending: "wav", as: "call.wav")
        var bytes = try contents(bench.path("call.wav"))
        let start = try #require(
            try WAVSink.repair(bench.path("call.wav"), format: bench.format, dryRun: true)?.audioStart)
        for place in stride(from: start, to: bytes.count - 4, by: 4) {
            bytes.replaceSubrange(place..<place + 4, with: Data("RIFF".utf8))
        }
        try bytes.write(to: URL(fileURLWithPath: bench.path("call.wav")))
        try bench.plant([("wav", "call.wav")])
        #expect(try bench.recover().map(\.problems) == [[]])
        #expect(try bench.published().sinks.map(\.state) == [.recovered])
    }

    /// A data size of 2⁶³−1 in RF64, and in CAF.
    @Test func `a header with a length beyond all bounds traps nobody`() async throws {
        let workspace = try Workspace(), format = AudioFormat(sampleRate: 16000)
        let huge = Data(repeating: 0xFF, count: 7)
        var rf64 = Data("RF64".utf8) + Data([0xFF, 0xFF, 0xFF, 0xFF]) + Data("WAVEds64".utf8) + Data([28, 0, 0, 0])
        rf64 += Data(count: 8) + huge
        rf64 += Data([0x7F]) + Data(count: 12)
        rf64 += Data("fmt ".utf8) + Data([16, 0, 0, 0, 1, 0, 1, 0, 0x80, 0x3E, 0, 0, 0, 0x7D, 0, 0, 2, 0, 16, 0])
        rf64 += Data("data".utf8) + Data([0xFF, 0xFF, 0xFF, 0xFF]) + Data(count: 100)
        _ = try? SndfileSink.repair(try workspace.write(rf64, "call.rf64"), format: format, dryRun: false)
        var caf = Data("caff".utf8) + Data([0, 1, 0, 0]) + Data("desc".utf8) + Data([0, 0, 0, 0, 0, 0, 0, 32])
        caf += Data([0x40, 0xCF, 0x40, 0, 0, 0, 0, 0]) + Data("lpcm".utf8)
        caf += Data([0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 16])
        caf += Data("data".utf8) + Data([0x7F]) + huge
        caf += Data(count: 104)
        let path = try workspace.write(caf, "call.caf")
        _ = try? SndfileSink.repair(path, format: format, dryRun: false)
        _ = try? AudioFileReader(path: path)
    }
}
