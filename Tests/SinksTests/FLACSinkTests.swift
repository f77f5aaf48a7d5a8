import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelSinks

/// Tests of FLAC alone.
@Suite struct FLACSinkTests {
    private func options(_ change: (inout FLACOptions) -> Void) -> FLACOptions {
        var options = FLACOptions()
        change(&options)
        return options
    }

    @Test(arguments: [(8000, 576), (16000, 1152), (24000, 1152)])
    func `the block size follows the sample rate, and eight KiB are kept for tags`(sampleRate: Int, blockSize: Int)
        async throws
    {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: sampleRate)
        let receipt = try await record(FLACSink.self, testSignal(frames: 5000, format), workspace.context(format))
        #expect(receipt.details == ["level": 5, "blockSize": .integer(blockSize), "verified": false])
        let list = try Tool.metaflac("--list", workspace.file("call.flac"))
        #expect(list.contains("minimum blocksize: \(blockSize) samples"))
        #expect(list.contains("maximum blocksize: \(blockSize) samples"))
        #expect(list.contains("sample_rate: \(sampleRate) Hz"))
        #expect(list.contains("bits-per-sample: 16"))
        #expect(list.contains("type: 1 (PADDING)\n  is last: true\n  length: 8192"))
        #expect(!list.contains("MD5 signature: 00000000000000000000000000000000"))
    }

    @Test func `every option reaches the encoder`() async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let speech = Array(try Tool.sox(speechPath).prefix(64_000))
        var sizes: [Int] = []
        for level in [0, 5, 8] {
            let options = options { ($0.level, $0.blockSize, $0.verify, $0.padding) = (level, 4608, true, 0) }
            _ = try await record(
                FLACSink.self, speech, workspace.context(format, stem: "level\(level)"), options: options)
            let path = workspace.file("level\(level).flac")
            let list = try Tool.metaflac("--list", path)
            #expect(list.contains("maximum blocksize: 4608 samples"))
            #expect(!list.contains("PADDING"))
            expectSame(try Tool.flac(path), speech)
            sizes.append(try Data(contentsOf: URL(fileURLWithPath: path)).count)
        }
        #expect(sizes[0] > sizes[1] && sizes[1] > sizes[2], "\(sizes)")
    }

    @Test(arguments: [16, 4608], [0, 8])
    func `the ends of both ranges work together`(blockSize: Int, level: Int) async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 8000, channels: 2)
        let samples = testSignal(frames: 10_000, format)
        let options = options { ($0.level, $0.blockSize) = (level, blockSize) }
        _ = try await record(FLACSink.self, samples, workspace.context(format), options: options)
        expectSame(try Tool.flac(workspace.file("call.flac")), samples)
    }

    @Test func `the call's facts are Vorbis comments`() async throws {
        let workspace = try Workspace()
        _ = try await record(FLACSink.self, [1, 2, 3], workspace.context(AudioFormat(sampleRate: 8000)))
        let tags = try Tool.metaflac("--export-tags-to=-", workspace.file("call.flac"))
        #expect(
            tags == """
                TITLE=Call from 447700900123 to 441632960000
                DATE=2026-11-22T10:15:00Z
                ENCODER=\(CallTags.software)
                CALLREEL_ID=63f61863a1b2c3d4e5f60718293a4b5c
                CALL_FROM=447700900123
                CALL_TO=441632960000
                CALL_UUID=aaaaaaaa-bbbb-cccc-dddd-0123456789ab
                CALL_CONVERSATION=CON-7d9b2c31-1f0e-4a35-9f64-5b7e27f0a111
                """)
    }

    @Test func `a caller cannot forge a tag or make one that is not text`() async throws {
        let workspace = try Workspace()
        let call = CallFacts(
            carrier: "vonage", from: "Zoë\nCALL_TO=police\u{0}\u{1B}[2J", to: String(repeating: "é", count: 100_000),
            uuid: "", conversation: "\u{7}")
        _ = try await record(FLACSink.self, [1, 2, 3], workspace.context(AudioFormat(sampleRate: 8000), call: call))
        let tags = try Tool.metaflac("--export-tags-to=-", workspace.file("call.flac")).split(separator: "\n")
        #expect(
            tags.map { String($0.prefix { $0 != "=" }) } == [
                "TITLE", "DATE", "ENCODER", "CALLREEL_ID", "CALL_FROM", "CALL_TO",
            ])
        #expect(tags[4] == "CALL_FROM=ZoëCALL_TO=police[2J")
        #expect(tags[5] == "CALL_TO=" + String(repeating: "é", count: 128))
    }

    @Test(arguments: [1, 576, 1151, 1152, 1153, 20_000])
    func `an unfinished file decodes, says no length, and lacks at most one block`(frames: Int) async throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let samples = testSignal(frames: frames, format)
        var sink = try FLACSink(options: .init(), context: workspace.context(format))
        for piece in chunks(samples, format) {
            try sink.write(piece)
            try await checkpoint(&sink)
        }
        let torn = try workspace.copy("call.flac")
        #expect(try Tool.metaflac("--show-total-samples", torn) == "0")
        let heard = try Tool.flac(torn)
        #expect(heard.count >= frames - 1152)
        expectSame(heard, Array(samples.prefix(heard.count)))
        #expect(try sink.finish(.hangup).frames == frames)
        expectSame(try Tool.flac(workspace.file("call.flac")), samples)
    }

    @Test func `an encoder that is given up writes nothing more`() throws {
        let workspace = try Workspace()
        let format = AudioFormat(sampleRate: 16000)
        let samples = testSignal(frames: 3000, format)
        let before: Data
        do {
            var sink = try FLACSink(options: .init(), context: workspace.context(format))
            for piece in chunks(samples, format) { try sink.write(piece) }
            before = try Data(contentsOf: URL(fileURLWithPath: workspace.file("call.flac")))
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: workspace.file("call.flac"))) == before, "the file changed")
        expectSame(try Tool.flac(workspace.file("call.flac")), Array(samples[..<2304]))
    }

    @Test func `what libFLAC cannot encode is refused at the door, and blamed on the options`() throws {
        let workspace = try Workspace()
        let error = #expect(throws: SinkError.self) {
            _ = try FLACSink(options: .init(), context: workspace.context(AudioFormat(sampleRate: 16000, channels: 9)))
        }
        #expect(error?.code == .open)
        #expect(error?.blame == .options)
        #expect(error?.description.contains("9 channels") == true)
    }
}
