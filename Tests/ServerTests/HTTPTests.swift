import CallreelCore
import Foundation
import TestSupport
import Testing

@Suite struct HTTPTests {
    private func curl(_ arguments: [String]) async throws -> Program.Result {
        try await Program("curl").run(["-s", "--max-time", "20", "--path-as-is"] + arguments)
    }

    private func status(_ arguments: String...) async throws -> String {
        try await curl(["-o", "/dev/null", "-w", "%{http_code}"] + arguments).text
    }

    private func json(_ arguments: String...) async throws -> JSONValue {
        try JSONValue(parsing: try await curl(arguments).output)
    }

    @Test func `the page and its parts come with their types and a strict policy`() async throws {
        try await TestServer.run { server in
            for (path, type) in [("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")] {
                let answer = try await curl(["-i", server.http + path]).text.lowercased()
                #expect(answer.hasPrefix("http/1.1 200"))
                #expect(answer.contains("content-type: \(type); charset=utf-8"))
                #expect(answer.contains("content-security-policy: default-src 'none'"))
                #expect(answer.contains("x-content-type-options: nosniff"))
            }
            #expect(try await status("-I", server.http + "/") == "200")
            #expect(try await status(server.http + "/nothing") == "404")
        }
    }

    @Test func `published files are served whole and in ranges, and nothing else is`() async throws {
        try await TestServer.run { server in
            let pcm = server.directory.path + "/speech.pcm"
            try await Speech.pcm().write(to: URL(fileURLWithPath: pcm))
            _ = try await PythonCall(server.cable, pcm: pcm).place()
            let names = try await server.finished()[0].sinks.flatMap { $0.files.map(\.name) }
            let recording = try #require(try await json(server.http + "/api/calls")["recordings"]?.elements.first)
            let files = recording["files"]?.elements ?? []
            #expect(files.map { $0["mediaType"]?.string } == ["audio/wav", "audio/flac", "application/octet-stream"])
            let links = try files.map { server.http + (try #require($0["url"]?.string)) }
            // By recording and sink, and under the links of earlier versions.
            for (index, url) in (links + names.map { server.http + "/recordings/" + $0 }).enumerated() {
                let file = files[index % names.count]
                let onDisk = try Data(
                    contentsOf: URL(fileURLWithPath: server.recordings + "/" + names[index % names.count]))
                #expect(try await curl([url]).output == onDisk)
                #expect(file["bytes"] == .integer(onDisk.count))
                let head = try await curl(["-I", url]).text.lowercased()
                #expect(head.contains("content-type: \(file["mediaType"]?.string ?? "?")"))
                #expect(head.contains("accept-ranges: bytes"))
                #expect(try await curl(["-r", "100-199", url]).output == onDisk[100..<200])
                #expect(try await curl(["-r", "-50", url]).output == onDisk.suffix(50))
                #expect(try await status("-r", "100-199", url) == "206")
                #expect(try await curl(["-r", "100-", url]).output == onDisk.dropFirst(100))
                // A range longer than the file gives the whole file. A range beyond it gives only its length.
                // Several ranges give the whole file.
                #expect(try await curl(["-r", "-9999999", url]).output == onDisk)
                let outside = try await curl(["-i", "-r", "9999999-", url]).text.lowercased()
                #expect(outside.hasPrefix("http/1.1 416") && outside.contains("content-range: bytes */\(onDisk.count)"))
                #expect(try await curl(["-r", "0-1,4-5", url]).output == onDisk)
                #expect(try await curl(["-r", "5-1", url]).output == onDisk)
                #expect(head.contains("content-length: \(onDisk.count)\r\n"))
                func value(_ name: String) throws -> String {
                    let text = try #require(head.split(separator: "\r\n").first { $0.hasPrefix(name + ": ") })
                    return String(text.dropFirst(name.count + 2))
                }
                // The server sends only files that the client does not have. Dates are read with any case.
                let tag = try value("etag"),
                    date = try #require(
                        try await curl(["-I", url]).text.split(separator: "\r\n").first {
                            $0.lowercased().hasPrefix("last-modified")
                        }?.dropFirst(15))
                #expect(tag.hasPrefix("\""))
                for known in [
                    "If-None-Match: \(tag)", "If-None-Match: W/\"x\", W/\(tag)", "If-None-Match: *",
                    "If-Modified-Since: \(date)",
                ] {
                    #expect(try await status("-H", known, url) == "304", "\(known)")
                }
                for other in [
                    "If-None-Match: \"x\"", "If-Modified-Since: Tue, 01 Jan 2019 00:00:00 GMT",
                    "If-Modified-Since: nonsense",
                ] {
                    #expect(try await status("-H", other, url) == "200", "\(other)")
                }
                #expect(try await status("-r", "0-9", "-H", "If-Range: \(tag)", url) == "206")
                #expect(try await status("-r", "0-9", "-H", "If-Range: \"x\"", url) == "200")
            }
            let manifest = server.http + (recording["manifestURL"]?.string ?? "")
            #expect(try await json(manifest)["framesReceived"] == 176_000)
            #expect(
                try await json(server.http + "/recordings/\(recording["name"]?.string ?? "").json")["framesReceived"]
                    == 176_000)

            // Secrets beside the directory, a link out of it, and unpublished files.
            try Data("secret".utf8).write(to: URL(fileURLWithPath: server.directory.path + "/secret.wav"))
            try FileManager.default.createSymbolicLink(
                atPath: server.recordings + "/link.wav", withDestinationPath: server.directory.path + "/secret.wav")
            try FileManager.default.createSymbolicLink(
                atPath: server.recordings + "/folder", withDestinationPath: server.directory.path)
            try FileManager.default.createDirectory(
                atPath: server.recordings + "/.partial/x", withIntermediateDirectories: true)
            try Data("partial".utf8).write(to: URL(fileURLWithPath: server.recordings + "/.partial/x/y.wav"))
            for path in [
                "/recordings/../secret.wav", "/recordings/%2e%2e/secret.wav", "/recordings/..%2fsecret.wav",
                "/recordings/link.wav",
                "/recordings/folder/secret.wav", "/recordings/.partial/x/y.wav", "/recordings/%2epartial/x/y.wav",
                "/recordings//etc/passwd",
                "/recordings/", "/recordings", "/recordings/x%00.wav", "/recordings/....//secret.wav", "/secret.wav",
                "/api/recordings/\(recording["id"]?.string ?? "")/files/wav/secret.wav",
                "/api/recordings/\(recording["id"]?.string ?? "")/files/wav/..%2fsecret.wav",
                "/api/recordings/\(recording["id"]?.string ?? "")/files/%2e%2e/secret.wav",
                "/api/recordings/..%2fsecret/manifest",
            ] {
                let answer = try await curl(["-w", "%{http_code}", server.http + path]).text
                #expect(answer.hasSuffix("404") || answer.hasSuffix("400"), "\(path): \(answer)")
                #expect(!answer.contains("secret") || answer.contains("error"), "\(path): \(answer)")
            }
        }
    }

    @Test func `the answer webhook returns an NCCO that brings the call here, asked either way`() async throws {
        try await TestServer.run { server in
            let facts =
                "from=447700900000&to=442079460000&conversation_uuid=CON-aaaa&uuid=aaaa-bbbb&SipHeader_X-UserId=1938ND9"
            let asked = try await json(server.http + "/webhooks/answer?" + facts)
            let posted = try await json(
                "-H", "Content-Type: application/json", "-d",
                #"{"from":"447700900000","to":"442079460000","uuid":"aaaa-bbbb","conversation_uuid":"CON-aaaa","endpoint_type":null}"#,
                server.http + "/webhooks/answer")
            // All but the token, which is a new one each time.
            #expect(asked.elements[0] == posted.elements[0])
            #expect(
                asked.elements[1]["endpoint"]?.elements.first?["headers"]
                    == posted.elements[1]["endpoint"]?.elements.first?["headers"])
            #expect(asked.elements.map { $0["action"] } == ["talk", "connect"])
            #expect(asked.elements[0]["text"] == "This call is being recorded.")
            let endpoint = try #require(asked.elements[1]["endpoint"]?.elements.first)
            #expect(endpoint["type"] == "websocket")
            #expect(endpoint["uri"]?.string?.hasPrefix(server.endpoint + "?token=") == true)
            #expect(endpoint["content-type"] == "audio/l16;rate=16000")
            #expect(
                endpoint["headers"]
                    == .object([
                        "uuid": "aaaa-bbbb", "conversation_uuid": "CON-aaaa", "from": "447700900000",
                        "to": "442079460000",
                    ]))
            #expect(try await status("-d", "not JSON", server.http + "/webhooks/answer") == "400")
            let long = try await json(
                server.http + "/webhooks/answer?uuid=u&to=1&from=" + String(repeating: "9", count: 600))
            let headers = try #require(long.elements[1]["endpoint"]?.elements.first?["headers"])
            #expect(headers.json().utf8.count <= 512 && headers["uuid"] == "u")
        }
    }

    @Test func `a public URL and a silent greeting are used as configured`() async throws {
        let vonage = #"{"talk": "", "sampleRate": 8000, "path": "/media/in", "requireToken": false}"#
        try await TestServer.run(
            vonage: vonage, more: #", "publicURL": "HTTPS://Calls.example.com//phone/", "access": {"allowOpen": true}"#
        ) {
            server in
            let ncco = try await json(server.http + "/webhooks/answer?uuid=u")
            #expect(ncco.elements.count == 1)
            let endpoint = try #require(ncco.elements[0]["endpoint"]?.elements.first)
            #expect(endpoint["uri"] == "wss://calls.example.com/phone/media/in")
            #expect(endpoint["content-type"] == "audio/l16;rate=8000")
        }
    }

    @Test func `events before, during and after a call are kept with it, once each`() async throws {
        try await TestServer.run { server in
            func event(_ body: String) async throws {
                #expect(try await status("-d", body, server.http + "/webhooks/event") == "204")
            }
            _ = try await json(server.http + "/webhooks/answer?uuid=u1&conversation_uuid=c1&from=111&to=222")
            try await event(
                #"{"uuid":"u1","conversation_uuid":"c1","status":"ringing","from":"111","to":"222","timestamp":"t1"}"#)
            let handshake = PythonCall.handshake(16000, #", "uuid": "u1", "conversation_uuid": "c1""#)
            let call = try await PythonCall(server.cable, ["handshake": .string(handshake), "hold": true]).start()
            _ = try await eventually("a live call") {
                let live = try await json(server.http + "/api/calls")["live"]?.elements
                return live?.first?["from"] == "111" ? true : nil
            }
            try await event(
                #"{"uuid":"u1","conversation_uuid":"c1","status":"answered","rate":"0.1","network":null,"timestamp":"t2"}"#
            )
            try await event(
                #"{"uuid":"u1","conversation_uuid":"c1","status":"answered","rate":"0.1","network":null,"timestamp":"t2"}"#
            )
            #expect(try await status(server.http + "/webhooks/event?uuid=u1&status=human") == "204")
            try await event(
                #"{"reason":"Connection closed.","original_request":{"url":"https://x","type":"event"},"conversation_uuid":"c1"}"#
            )
            try await event(
                #"{"uuid":"other","to":"ws://x/cable","from":"9","status":"disconnected","headers":{"uuid":"u1"},"conversation_uuid":"c1"}"#
            )
            try await event(#"{"uuid":"stranger","status":"answered"}"#)
            call.signal(SIGKILL)
            let first = try await server.finished()[0]
            #expect(first.call.from == "111" && first.call.to == "222")
            #expect(first.events.map(\.type) == ["ringing", "answered", "human", "fallback", "disconnected"])
            #expect(first.events[1].data["network"] == .null)
            #expect(first.sinks.allSatisfy { $0.state == .empty && $0.files.isEmpty })
            for _ in 0..<2 {
                try await event(
                    #"{"uuid":"u1","status":"completed","duration":"2","price":"0.0001","conversation_uuid":"c1"}"#)
            }
            let last = try await server.finished()[0]
            #expect(
                last.events.map(\.type) == ["ringing", "answered", "human", "fallback", "disconnected", "completed"])
            #expect(try await status("-d", "{", server.http + "/webhooks/event") == "400")
            #expect(try await status("-d", "{}", server.http + "/webhooks/event") == "204")
            #expect(try await status("-X", "PUT", server.http + "/webhooks/event") != "204")
        }
    }

    @Test func `two legs of one conversation keep their own events`() async throws {
        try await TestServer.run { server in
            func event(_ body: String) async throws {
                #expect(try await status("-d", body, server.http + "/webhooks/event") == "204")
            }
            var calls: [RunningProgram] = []
            for leg in ["a", "b"] {
                let handshake = PythonCall.handshake(16000, #", "uuid": "\#(leg)", "conversation_uuid": "c""#)
                calls.append(
                    try await PythonCall(server.cable, ["handshake": .string(handshake), "hold": true]).start())
            }
            // Before both legs are up, an event of one leg would be taken for the other, live leg.
            _ = try await eventually("both legs that are up") {
                try await json(server.http + "/api/calls")["live"]?.elements.count == 2 ? true : nil
            }
            for number in 0..<5 {
                for leg in ["b", "a"] {
                    try await event(
                        #"{"uuid":"\#(leg)","conversation_uuid":"c","status":"answered","n":\#(number),"from":"\#(leg)\#(leg)"}"#
                    )
                }
            }
            for call in calls { call.signal(SIGKILL) }
            for recording in try await server.finished(2) {
                let leg = try #require(recording.call.uuid)
                #expect(recording.call.from == leg + leg)
                #expect(recording.events.map { $0.data["n"] } == [0, 1, 2, 3, 4])
                #expect(recording.events.allSatisfy { $0.data["uuid"] == .string(leg) })
            }
        }
    }

    @Test func `no event is lost around the end of a call`() async throws {
        try await TestServer.run { server in
            for call in 0..<5 {
                let handshake = PythonCall.handshake(16000, #", "uuid": "u\#(call)""#)
                let live = try await PythonCall(server.cable, ["handshake": .string(handshake), "hold": true]).start()
                async let events: Void = {
                    for number in 0..<30 {
                        let body = #"{"uuid":"u\#(call)","status":"ringing","n":\#(number)}"#
                        let answer = try await status("-d", body, server.http + "/webhooks/event")
                        #expect(answer == "204")
                        if number == 10 { live.signal(SIGKILL) }
                    }
                }()
                try await events
                let kept = try await eventually("thirty events of call \(call)") {
                    let recording = try await server.finished(call + 1).first { $0.call.uuid == "u\(call)" }
                    return recording?.events.count == 30 ? recording : nil
                }
                #expect(Set(kept.events.compactMap { $0.data["n"]?.double }) == Set((0..<30).map(Double.init)))
            }
        }
    }

    @Test func `a recording is paused and resumed over HTTP, and no page of another site can do it`() async throws {
        try await TestServer.run { server in
            let pcm = server.directory.path + "/speech.pcm"
            try await Speech.pcm().write(to: URL(fileURLWithPath: pcm))
            let call = try await PythonCall(server.cable, pcm: pcm, ["hold": true]).start()
            let live = try await eventually("11 s of a live call") {
                try await json(server.http + "/api/calls")["live"]?.elements.first { $0["seconds"]?.double == 11 }
            }
            #expect(live["paused"] == false)
            let address = server.http + "/api/calls/\(live["id"]?.string ?? "")"
            #expect(try await status("-X", "POST", "-H", "Sec-Fetch-Site: cross-site", address + "/pause") == "403")
            #expect(try await json("-X", "POST", address + "/resume")["paused"] == false)
            #expect(
                try await json("-X", "POST", "-H", "Sec-Fetch-Site: same-origin", address + "/pause")["paused"] == true)
            #expect(try await status(address + "/pause") == "404")
            #expect(try await status("-X", "POST", server.http + "/api/calls/nobody/pause") == "404")
            #expect(try await json(server.http + "/api/calls")["live"]?.elements.first?["paused"] == true)
            call.signal(SIGKILL)
            let recording = try await server.finished().first
            #expect(recording?.events.map(\.type) == ["paused"])
            #expect(recording?.events.map(\.frame.frames) == [176_000])
        }
    }

    @Test func `live calls are listed with what they have so far`() async throws {
        try await TestServer.run { server in
            let pcm = server.directory.path + "/speech.pcm"
            try await Speech.pcm().write(to: URL(fileURLWithPath: pcm))
            let call = try await PythonCall(server.cable, pcm: pcm, ["hold": true]).start()
            let live = try await eventually("11 s of a live call") {
                try await json(server.http + "/api/calls")["live"]?.elements.first { $0["seconds"]?.double == 11 }
            }
            #expect(live["sampleRate"] == 16000)
            #expect(live["sinks"]?.elements.map { $0["state"] } == ["recording", "recording", "recording"])
            call.signal(SIGKILL)
            _ = try await server.finished()
            let empty = try await eventually("no live call") {
                let answer = try await json(server.http + "/api/calls")
                return answer["live"]?.elements.isEmpty == true ? answer : nil
            }
            #expect(empty["total"] == 1)
            #expect(try await status(server.http + "/api/calls?limit=0") == "400")
            #expect(try await status(server.http + "/api/calls?limit=x") == "400")
        }
    }
}

extension JSONValue {
    /// The elements of an array; none for any other value.
    var elements: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }
}
