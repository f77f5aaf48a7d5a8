import CallreelCore
import Foundation
import TestSupport
import Testing

@Suite struct ReplayTests {
    @Test func `a file goes through the configured sinks without a network, faster than it can be written`()
        async throws
    {
        let directory = TemporaryDirectory()
        // A small buffer, so that the file has to wait for the sinks.
        let configuration = """
            {"sinks": [{"type": "wav", "buffer": 0.5}, {"type": "flac", "buffer": 0.5, "level": 8}, {"type": "flac", "level": 0}, {"type": "raw", "name": "plain"}]}
            """
        try configuration.write(toFile: directory.path + "/c.json", atomically: true, encoding: .utf8)
        let long = directory.path + "/long.wav"
        try await Program("sox").output([Speech.path, long, "repeat", "9"])
        let result = try await Program.callreel.run(["replay", long, "--config", "c.json"], in: directory.path)
        #expect(result.status == 0, "\(result.errors)")
        let files = directory.files(in: "recordings").map { $0.drop { $0 != "." } }
        #expect(files.sorted() == [".flac", ".flac-2.flac", ".json", ".raw", ".wav"])
        let pcm = try await Program("sox").output([long, "-t", "raw", "-"])
        #expect(pcm.count == 3_520_000)
        for file in directory.files(in: "recordings") {
            let path = directory.path + "/recordings/" + file
            if file.hasSuffix(".flac") { #expect(try await Judge.flacPCM(path) == pcm) }
            if file.hasSuffix(".wav") { #expect(try await Judge.wavPCM(path, rate: 16000) == pcm) }
            if file.hasSuffix(".raw") { #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == pcm) }
        }
    }

    @Test(arguments: [
        "cat '%' | \"$0\" replay - --config c.json", "\"$0\" replay - --config c.json < '%'",
        "\"$0\" replay <(cat '%') --config c.json",
    ])
    func `standard input and pipes can be replayed`(script: String) async throws {
        let directory = TemporaryDirectory(), temporary = TemporaryDirectory()
        try RunningServer.configuration.write(toFile: directory.path + "/c.json", atomically: true, encoding: .utf8)
        let result = try await Program("bash").run(
            ["-c", script.replacingOccurrences(of: "%", with: Speech.path), Program.callreel.path], in: directory.path,
            environment: ["TMPDIR": temporary.path])
        #expect(result.status == 0, "\(result.errors)")
        let raw = try #require(directory.files(in: "recordings").first { $0.hasSuffix(".raw") })
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: directory.path + "/recordings/" + raw))
                == (try await Speech.pcm()))
        // The command leaves no temporary file behind.
        #expect(temporary.files().isEmpty)
        let nothing = try await Program("bash").run(
            ["-c", "\"$0\" replay - --config c.json < /dev/null", Program.callreel.path], in: directory.path)
        #expect(nothing.status == 1 && nothing.errors.contains("standard input: "), "\(nothing.errors)")
    }

    @Test func `a stereo file of any rate keeps both`() async throws {
        let directory = TemporaryDirectory()
        try RunningServer.configuration.write(toFile: directory.path + "/c.json", atomically: true, encoding: .utf8)
        let file = directory.path + "/stereo.flac"
        try await Program("sox").output([
            "-n", "-r", "44100", "-b", "16", file, "synth", "1", "sine", "300", "sine", "900",
        ])
        let result = try await Program.callreel.run(["replay", file, "--config", "c.json"], in: directory.path)
        #expect(result.status == 0, "\(result.errors)")
        let manifest = try #require(directory.files(in: "recordings").first { $0.hasSuffix(".json") })
        let recording = try Recording(
            json: Data(contentsOf: URL(fileURLWithPath: directory.path + "/recordings/" + manifest)))
        #expect(recording.format == AudioFormat(sampleRate: 44100, channels: 2))
        #expect(recording.framesReceived == 44100)
        #expect(recording.call.headers["file"] == "stereo.flac")
        let original = try await Judge.flacPCM(file)
        for sink in recording.sinks where sink.type == "wav" {
            #expect(
                try await Judge.wavPCM(directory.path + "/recordings/" + sink.files[0].name, rate: 44100) == original)
        }
    }

    @Test func `a WAV whose recorder died is replayed whole, and what holds no audio or none that can be is refused`()
        async throws
    {
        let directory = TemporaryDirectory()
        try RunningServer.configuration.write(toFile: directory.path + "/c.json", atomically: true, encoding: .utf8)
        let whole = try Data(contentsOf: URL(fileURLWithPath: Speech.path))
        var crashed = whole
        let size = try #require(whole.range(of: Data("data".utf8))).upperBound
        for place in [4, size] { crashed.replaceSubrange(place..<place + 4, with: Data(count: 4)) }
        var slow = whole
        slow.replaceSubrange(24..<28, with: [1, 0, 0, 0])
        let files: [(String, Data, status: Int32, said: String)] = [
            ("crashed.wav", crashed, 0, "it was not closed. All bytes are read"),
            ("empty.wav", Data(whole.prefix(size + 4)), 1, "holds no audio"),
            ("slow.wav", slow, 1, "1 Hz"),
        ]
        for (name, data, status, said) in files {
            try data.write(to: URL(fileURLWithPath: directory.path + "/" + name))
            let result = try await Program.callreel.run(["replay", name, "--config", "c.json"], in: directory.path)
            #expect(
                result.status == status && result.errors.contains(said), "\(name): \(result.status) \(result.errors)")
        }
        let published = directory.files(in: "recordings").filter { $0.hasSuffix(".wav") && !$0.hasPrefix(".") }
        #expect(published.count == 1)
        #expect(try await Judge.wavPCM(directory.path + "/recordings/" + published[0], rate: 16000) == Speech.pcm())
    }
}
