import CallreelCore
import Foundation
import TestSupport
import Testing

@Suite struct CallTests {
    private func call(_ arguments: String...) async throws -> Program.Result {
        try await Program.callreel.run(["call"] + arguments)
    }

    @Test func `a newcomer's first call, with the line that the server prints`() async throws {
        let server = try await RunningServer()
        let hint = try #require(
            server.program.text.split(separator: "\n").first { $0.hasPrefix("Place a test call: ") })
        #expect(hint.hasSuffix("--to \(server.url)/webhooks/answer"))
        let result = try await call(
            Speech.path, "--to", server.url + "/webhooks/answer", "--dtmf", "5@1.5", "--dtmf", "#@20", "--speed", "max")
        #expect(result.status == 0, "\(result.errors)")
        let lines = result.text.split(separator: "\n")
        #expect(lines.count == 2 && lines[0] == "1 call sent, 11.0 s of audio, closed with 1000.", "\(result.text)")
        let manifest = try #require(lines.last?.wholeMatch(of: /Recorded: (\/.*\.json)/)?.output.1)
        #expect(FileManager.default.fileExists(atPath: String(manifest)))
        // Without a terminal there is no progress bar.
        #expect(result.errors.isEmpty)
        let recording = try await server.finished(1)[0]
        #expect(recording.call.from == "447700900123" && recording.call.to == "442079460000")
        #expect(recording.call.uuid != nil && recording.call.conversation?.hasPrefix("CON-") == true)
        #expect(recording.events.map { $0.data["digit"] } == ["5", "#"])
        #expect(recording.events.map(\.frame.frames) == [24000, 176_000])
        let pcm = try await Speech.pcm()
        let paths = server.paths(recording)
        #expect(try await Judge.wavPCM(paths[0], rate: 16000) == pcm)
        #expect(try await Judge.flacPCM(paths[1]) == pcm)
        server.program.signal(SIGTERM)
        #expect(try await server.program.result().status == 0)
    }

    @Test func `a call returns when its recording stands, however long that takes, and says where`() async throws {
        // The program takes two seconds after the call's end, like a slow disk or a busy machine.
        let slow = #"{"type": "exec", "name": "slow", "command": ["sh", "-c", "cat > /dev/null; sleep 2"]}"#
        let server = try await RunningServer(configuration: #"{"sinks": [{"type": "raw"}, \#(slow)]}"#)
        for (target, arguments) in [("/webhooks/answer", ["--calls", "12"]), ("/webhooks/answer", ["--abrupt"])] {
            let result = try await Program.callreel.run(
                ["call", Speech.path, "--speed", "max", "--to", server.url + target] + arguments,
                in: server.directory.path)
            #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
            let paths = result.text.matches(of: /Recorded: (.*)\n/).map { String($0.output.1) }
            #expect(
                paths.count == (arguments.count == 2 ? 10 : 1)
                    && (paths.count == 1 || result.text.hasSuffix("and 2 more\n")), "\(result.text)")
            // At once, because the command has ended.
            for path in paths {
                #expect(FileManager.default.fileExists(atPath: server.directory.path + "/" + path), "\(path)")
            }
            if arguments == ["--abrupt"] { continue }
            #expect(
                server.directory.files(in: "recordings").count { $0.hasSuffix(".json") && !$0.hasPrefix(".") } == 12)
        }
    }

    @Test func `a server that tells nobody where it records is asked with its token`() async throws {
        let access = #", "access": {"token": "a-token-for-a-test"}}"#
        let server = try await RunningServer(configuration: String(RunningServer.configuration.dropLast()) + access)
        let answer = server.url + "/webhooks/answer"
        let silent = try await call(Speech.path, "--speed", "max", "--to", answer)
        #expect(
            silent.status == 0 && silent.errors.contains("--access-token") && !silent.text.contains("Recorded"),
            "\(silent.errors)")
        let told = try await call(Speech.path, "--speed", "max", "--to", answer, "--access-token", "a-token-for-a-test")
        #expect(
            told.status == 0 && told.errors.isEmpty && told.text.contains("Recorded: /"), "\(told.text) \(told.errors)")
        let environment = ["CALLREEL_ACCESS_TOKEN": "a-token-for-a-test"]
        let variable = try await Program.callreel.run(
            ["call", Speech.path, "--speed", "max", "--to", answer], environment: environment)
        #expect(variable.text.contains("Recorded: /"), "\(variable.errors)")
    }

    @Test func `frames are paced as a carrier's are, and Ctrl-C ends the call politely`() async throws {
        let server = try await RunningServer(configuration: RunningServer.trusting)
        let cable = server.url.replacingOccurrences(of: "http", with: "ws") + "/cable"
        let running = try Program.callreel.start([
            "call", try await Speech.long(60, in: server.directory), "--to", cable,
        ])
        _ = try await eventually("a live call with audio") {
            let state = try await JSONValue(parsing: Program("curl").output(["-s", server.url + "/api/calls"]))
            if case .array(let live) = state["live"], let seconds = live.first?["seconds"]?.double, seconds > 0.5 {
                return true
            }
            return nil as Bool?
        }
        running.signal(SIGINT)
        let result = try await running.result()
        #expect(result.status == 0)
        #expect(result.text.contains("closed with 1000.\n"))
        let recording = try await server.finished(1)[0]
        // Only a part of the file, because the call ended while it was being played.
        #expect(recording.framesReceived > 8000 && recording.framesReceived < 60 * 176_000)
        #expect(recording.framesReceived.isMultiple(of: 320))
        #expect(recording.endReason == "the carrier closed the call")
        let once = try await Speech.pcm(), speech = (0..<60).reduce(into: Data()) { pcm, _ in pcm += once }
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: server.paths(recording)[2]))
                == speech.prefix(recording.framesReceived * 2))
    }

    @Test func `many calls at once, and an end without a word`() async throws {
        let server = try await RunningServer()
        let result = try await call(
            Speech.path, "--to", server.url + "/webhooks/answer", "--calls", "20", "--speed", "max")
        #expect(result.status == 0 && result.text.hasPrefix("20 calls sent"), "\(result.errors)")
        let pcm = try await Speech.pcm()
        for recording in try await server.finished(20) {
            #expect(recording.framesReceived == 176_000)
            #expect(try Data(contentsOf: URL(fileURLWithPath: server.paths(recording)[2])) == pcm)
        }
        let abrupt = try await call(Speech.path, "--to", server.url + "/webhooks/answer", "--abrupt", "--speed", "max")
        #expect(abrupt.status == 0 && abrupt.text.contains("dropped"))
        let last = try await eventually("the abrupt call") {
            try await server.finished(21).first { $0.endReason != "the carrier closed the call" }
        }
        for sink in last.sinks { #expect(sink.state == .complete && sink.written == last.framesReceived) }
    }

    @Test func `a file of another rate and two channels becomes what the call asks for`() async throws {
        let server = try await RunningServer()
        let file = server.directory.path + "/tone.wav"
        try await Program("sox").output(["-n", "-r", "44100", "-c", "2", file, "synth", "2", "sine", "1000"])
        let result = try await call(file, "--to", server.url + "/webhooks/answer", "--speed", "max")
        #expect(result.status == 0, "\(result.errors)")
        let recording = try await server.finished(1)[0]
        #expect(abs(recording.framesReceived - 32000) <= 1)
        let measured = try await Program("sox").run([server.paths(recording)[0], "-n", "stat"])
        let line = try #require(measured.errors.split(separator: "\n").first { $0.hasPrefix("Rough") })
        let frequency = try #require(Double(line.split(separator: " ").last ?? ""))
        #expect(abs(frequency - 1000) < 15)
    }

    @Test func `what cannot be called is refused by name`() async throws {
        let text = TemporaryDirectory()
        try "this is not audio".write(toFile: text.path + "/notes.txt", atomically: true, encoding: .utf8)
        let cases: [([String], Int32, String)] = [
            ([text.path + "/notes.txt"], 1, "notes.txt"), ([text.path + "/missing.wav"], 1, "missing.wav"),
            ([Speech.path, "--to", "ftp://x"], 64, "ftp://x"), ([Speech.path, "--calls", "0"], 64, "0"),
            ([Speech.path, "--dtmf", "x@1"], 64, "x@1"),
            // Port 1 needs a privilege and has no listener.
            ([Speech.path, "--to", "http://127.0.0.1:1/webhooks/answer"], 1, "Connection refused"),
            ([Speech.path, "--to", "ws://127.0.0.1:1/cable"], 1, "Connection refused"),
        ]
        for (arguments, status, names) in cases {
            let result = try await Program.callreel.run(["call"] + arguments)
            #expect(result.status == status, "\(arguments): \(result.errors)")
            #expect(result.errors.contains(names), "\(arguments): \(result.errors)")
        }
        let server = try await RunningServer()
        let wrong = try await call(
            Speech.path, "--to", server.url.replacingOccurrences(of: "http", with: "ws") + "/wrong")
        #expect(wrong.status == 1 && wrong.errors.contains("404") && wrong.errors.contains("/wrong"), "\(wrong.errors)")
        let page = try await call(Speech.path, "--to", server.url + "/")
        #expect(page.status == 1 && page.errors.contains("JSON"), "\(page.errors)")
    }
}
