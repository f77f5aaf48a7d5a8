import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelServer

@Suite struct RecordingFilesTests {
    private func curl(_ arguments: String...) async throws -> Program.Result {
        try await Program("curl").run(["-s", "--max-time", "20", "--path-as-is"] + arguments)
    }

    private func listed(_ server: TestServer) async throws -> JSONValue {
        try await eventually("a listed recording") {
            try JSONValue(parsing: try await curl(server.http + "/api/calls").output)["recordings"]?.elements.first
        }
    }

    @Test(arguments: ["1..2", "..", "...", "a+b c%2e%2e;d", "%2e%2e%2f", "../../etc/passwd"])
    func `whatever a caller calls himself, the files of his call can be had`(caller: String) async throws {
        let directory = TemporaryDirectory()
        let more = #", "recordings": {"directory": "\#(directory.path)/recordings", "name": "{from}/{from}"}"#
        try await TestServer.run(more: more, in: directory) { server in
            let handshake = PythonCall.handshake(16000, #", "from": \#(JSONValue.string(caller).json())"#)
            _ = try await PythonCall(server.cable, pcm: Speech.path, ["handshake": .string(handshake)]).place()
            let recording = try await server.finished()[0]
            let shown = try await listed(server), files = shown["files"]?.elements ?? []
            #expect(files.count == 3)
            for (file, name) in zip(files, recording.sinks.flatMap { $0.files.map(\.name) }) {
                let onDisk = try Data(contentsOf: URL(fileURLWithPath: server.recordings + "/" + name))
                #expect(try await curl(server.http + (try #require(file["url"]?.string))).output == onDisk)
            }
            let manifest = try await curl(server.http + (try #require(shown["manifestURL"]?.string))).output
            #expect(try Recording(json: manifest).id == recording.id)
        }
    }

    @Test func `files in a sink's own directory, and all parts of a call, are served with their types`() async throws {
        let directory = TemporaryDirectory(), own = directory.path + "/own disk"
        let sinks = """
            [{"type": "sndfile", "name": "small", "format": "mp3", "directory": "\(own)"}, {"type": "sndfile", "name": "tiny", "format": "opus", "directory": "\(own)"},
             {"type": "sndfile", "name": "free", "format": "vorbis"}, {"type": "wav", "partLength": 4, "directory": "\(own)"}]
            """
        try await TestServer.run(sinks: sinks, in: directory) { server in
            _ = try await PythonCall(server.cable, pcm: Speech.path).place()
            _ = try await server.finished()
            let files = try await listed(server)["files"]?.elements ?? []
            let types = files.compactMap { $0["mediaType"]?.string }
            #expect(
                types == [
                    "audio/mpeg", "audio/ogg; codecs=opus", "audio/ogg; codecs=vorbis", "audio/wav", "audio/wav",
                    "audio/wav",
                ], "\(types)")
            for file in files {
                let url = server.http + (try #require(file["url"]?.string)),
                    type = try #require(file["mediaType"]?.string)
                #expect(try await curl("-I", url).text.lowercased().contains("content-type: \(type)\r\n"))
                let copy = directory.path + "/copy"
                try await curl(url).output.write(to: URL(fileURLWithPath: copy))
                let decoded = try await Program("ffprobe").run(
                    ["-v", "error", "-show_entries", "stream=codec_name", "-of", "default=nw=1:nk=1", copy]).text
                #expect(
                    ["mp3", "opus", "vorbis", "pcm_s16le"].contains(
                        decoded.trimmingCharacters(in: .whitespacesAndNewlines)), "\(url) \(decoded)")
                #expect(try Data(contentsOf: URL(fileURLWithPath: copy)).count == Int(file["bytes"]?.double ?? -1))
            }
        }
    }

    @Test func `a manifest that names files elsewhere does not open them`() async throws {
        let directory = TemporaryDirectory()
        try Data("secret".utf8).write(to: URL(fileURLWithPath: directory.path + "/secret.wav"))
        try FileManager.default.createDirectory(
            atPath: directory.path + "/recordings/.partial", withIntermediateDirectories: true)
        try Data("secret".utf8).write(to: URL(fileURLWithPath: directory.path + "/recordings/.hidden.wav"))
        let id = RecordingID()
        let names: [(String, String?)] = [
            ("secret.wav", directory.path), ("hostname", "/etc"), ("recordings/known.wav", directory.path),
            (".hidden.wav", nil),
        ]
        let files = names.map { name, directory -> JSONValue in
            .object(
                ["name": .string(name), "bytes": 6, "sha256": ""].merging(
                    directory.map { ["directory": .string($0)] } ?? [:]
                ) {
                    _, new in new
                })
        }
        let manifest = """
            {"version": 1, "id": "\(id)", "name": "forged", "call": {"carrier": "test", "headers": {}},
             "format": {"sampleRate": 16000, "channels": 1},
             "startedAt": "2026-11-22T10:15:00.250Z", "endedAt": "2026-11-22T10:15:01.250Z", "endReason": "over",
             "framesReceived": 0, "leftoverBytes": 0, "malformedMessages": 0, "droppedEvents": 0, "events": [],
             "sinks": [{"type": "wav", "name": "wav", "state": "complete", "written": 0,
             "silence": 0, "lost": 0, "files": \(JSONValue.array(files).json())}]}
            """
        try manifest.write(toFile: directory.path + "/recordings/forged.json", atomically: true, encoding: .utf8)
        try await TestServer.run(in: directory) { server in
            let shown = try await listed(server)
            #expect(
                shown["files"]?.elements.count == names.count
                    && shown["files"]?.elements.allSatisfy { $0["url"] == .null } == true)
            for name in ["secret.wav", "hostname", "known.wav", ".hidden.wav", "..%2fsecret.wav"] {
                let answer = try await curl(
                    "-w", "%{http_code}", server.http + "/api/recordings/\(id)/files/wav/\(name)"
                ).text
                #expect(answer.hasSuffix("404") && !answer.contains("secret"), "\(name): \(answer)")
            }
        }
    }

    @Test func `the page and its files are found under a path of their own, whether the proxy takes it away or not`()
        async throws
    {
        let more = #", "publicURL": "https://calls.example.com/phone", "access": {"allowOpen": true}"#
        try await TestServer.run(vonage: #"{"talk": ""}"#, more: more) { server in
            for prefix in ["", "/phone"] {
                for path in ["/", "/page.js", "/page.css", "/api/calls", "/webhooks/answer", "/healthz"] {
                    #expect(
                        try await curl("-o", "/dev/null", "-w", "%{http_code}", server.http + prefix + path).text
                            == "200", "\(prefix)\(path)")
                }
                #expect(
                    try await curl("-o", "/dev/null", "-w", "%{http_code}", server.http + prefix + "/cable").text
                        == "426")
            }
            let moved = try await curl("-i", server.http + "/phone").text.lowercased()
            #expect(moved.hasPrefix("http/1.1 308") && moved.contains("location: /phone/\r\n"))
            let page = try await curl(server.http + "/phone/").text
            #expect(!page.contains("href=\"/") && !page.contains("src=\"/"))
            #expect(!(try await curl(server.http + "/page.js").text).contains("fetch(`/"))
            let ncco = try JSONValue(parsing: try await curl(server.http + "/phone/webhooks/answer?uuid=u").output)
            let uri = try #require(ncco.elements.last?["endpoint"]?.elements.first?["uri"]?.string)
            #expect(uri.hasPrefix("wss://calls.example.com/phone/cable?token="))
            // The call comes with the path or without it.
            let query = try #require(uri.split(separator: "?").last)
            let handshake = JSONValue.string(PythonCall.handshake(16000, #", "uuid": "u""#))
            let call = try await PythonCall(
                server.endpoint.replacing("/cable", with: "/phone/cable") + "?" + query, pcm: Speech.path,
                ["handshake": handshake]
            ).place()[0]
            #expect(call.code == 1000)
        }
    }

    @Test func `the page's test command works wherever the program is`() async throws {
        try await TestServer.run { server in
            let command = try #require(
                try JSONValue(parsing: try await curl(server.http + "/api/calls").output)["testCommand"]?.string)
            #expect(command.hasSuffix(" call --to \(server.http)/webhooks/answer"))
            let program = command.prefix { $0 != " " }
            #expect(program.hasPrefix("/") || !program.contains("/"), "\(command)")
        }
    }
}
