import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelEngine
@testable import CallreelServer

/// Pauses over HTTP, on a server with the default interval between socket reads.
@Suite struct PausedCallTests {
    /// Returns the number of samples of each value in a file, as Python reads it.
    private func values(_ path: String) async throws -> [String: Int] {
        let script = """
            import collections, json, sys, wave
            with wave.open(sys.argv[1]) as file: data = file.readframes(file.getnframes())
            samples = memoryview(data).cast("h")
            print(json.dumps(collections.Counter(map(str, samples))))
            """
        return try JSONDecoder().decode([String: Int].self, from: try await Judge.python(script, [path]))
    }

    /// The short guard is longer than the audio after the resume's answer, and shorter than the unread audio before it.
    @Test(arguments: [false, true], [Recorder.pauseGuard, 0.15])
    func `nothing that was spoken or typed in a pause is kept, though it was read after the resume`(
        isEncrypted: Bool, pauseGuard: Double
    )
        async throws
    {
        let book = LogBook()
        let sinks =
            #"[{"type": "wav"}, {"type": "wav", "name": "cut", "onPause": "skip"}, {"type": "wav", "name": "all", "onPause": "record"}]"#
        let directory = TemporaryDirectory()
        let pair = isEncrypted ? try await TestCertificate.make(in: directory) : nil
        let more = #", "recordings": {"directory": "\#(directory.path)/recordings", "pauseGuard": \#(pauseGuard)}"#
        try await TestServer.run(
            sinks: sinks, listen: pair?.listen ?? "", more: more, in: directory, logger: book.logger
        ) { server in
            let addresses =
                isEncrypted ? ["wss" + server.cable.dropFirst(2), server.https] : [server.cable, server.http]
            let output = try await Program("python3").output(
                [Speech.fixture("pausing_client.py")] + addresses + ["3"] + (pair.map { [$0.certificate] } ?? []))
            let answers = try JSONValue(parsing: output).elements
            let recording = try await server.finished()[0]
            let events = recording.events.filter { ["paused", "resumed"].contains($0.type) }
            try #require(events.map(\.type) == ["paused", "resumed", "paused", "resumed", "paused", "resumed"])
            let frames = events.map(\.frame.frames)
            let pauses = [frames[0]..<frames[1], frames[2]..<frames[3], frames[4]..<frames[5]]
            #expect(recording.sinks[0].ranges?.masked?.ranges == pauses)
            #expect(recording.sinks[1].ranges?.skipped?.ranges == pauses)
            // The answers name the frames: the pause exactly, the resume the earliest.
            for (index, answer) in answers.enumerated() {
                if index.isMultiple(of: 2) {
                    #expect(answer["maskedFrom"] == .integer(frames[index]))
                    #expect(answer["stillRecording"] == .array(["all"]))
                } else {
                    #expect(answer["resuming"] == true)
                    #expect(answer["clearFrom"]?.double ?? .infinity <= Double(frames[index]))
                }
            }
            let whole = try await values(server.recordings + "/" + recording.sinks[0].files[0].name)
            #expect(whole["2000"] == nil && whole["1000"] ?? 0 > 0, "\(whole)")
            // How much of it is masked by the guard depends on when it was read.
            #expect(whole["3000"] ?? 0 > 0, "\(whole)")
            for file in recording.sinks[1].files {
                let part = try await values(server.recordings + "/" + file.name)
                #expect(part["2000"] == nil && part["0"] == nil, "\(file.name): \(part)")
            }
            let all = try await values(server.recordings + "/" + recording.sinks[2].files[0].name)
            #expect(all["2000"] == 3 * 28 * 320 && all["0"] == nil)
            #expect(recording.maskedEvents == 3)
            #expect(!book.text.contains("4711"))
            for name in server.directory.files(in: "recordings") where name.hasSuffix(".json") {
                #expect(try !String(contentsOfFile: server.recordings + "/" + name, encoding: .utf8).contains("4711"))
            }
        }
    }
}
