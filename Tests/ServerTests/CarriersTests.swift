import CallreelCarriers
import CallreelCore
import CallreelSinks
import Foundation
import TestSupport
import Testing

@testable import CallreelServer

/// A carrier of a test that uses every verb: a greeting, an answer to each text, a heartbeat, binary messages of its
/// own, a subprotocol, a proof for one use, and a webhook in XML.
private struct Chatty: Carrier {
    static let type = "chatty"
    static let summary = "a carrier of a test"

    let context: CarrierContext

    init(options: Nothing, context: CarrierContext) { self.context = context }

    struct Nothing: Configurable {
        static let fields: [Field<Self>] = []
    }

    var webhooks: [CarrierWebhook] {
        [
            CarrierWebhook("answer", .answer) { request throws(CarrierRefusal) in
                let uuid = request.query.first { $0.name == "id" }?.value
                let call = CallFacts(carrier: Self.type, from: "webhook", uuid: uuid)
                return CarrierReply(
                    .xml("<Stream>\(context.address(forCall: uuid))</Stream>"),
                    announcement: .init(call, uuid: uuid))
            },
            CarrierWebhook("status", .event) { request throws(CarrierRefusal) in
                guard let id = request.query.first(where: { $0.name == "id" })?.value else {
                    throw CarrierRefusal(.malformed, "the request has no id")
                }
                let proof = OneTimeProof(identifier: request.values(of: "X-Proof").joined(), end: .distantFuture)
                return CarrierReply(
                    proof: proof,
                    events: [.init("status", data: ["id": .string(id)], call: CallFacts(carrier: Self.type, uuid: id))])
            },
        ]
    }

    func admit(_ request: CarrierRequest) throws(CarrierRefusal) -> CarrierAdmission {
        guard let proof = request.values(of: "x-proof").first else {
            throw CarrierRefusal(.unauthorized, "the proof is missing")
        }
        return CarrierAdmission(
            subprotocol: "chat", proof: OneTimeProof(identifier: proof, end: .distantFuture))
    }

    func dialect(for admission: CarrierAdmission) -> Talk { Talk() }

    /// `begin ID`, then binary messages whose first byte is no audio, `bye`.
    struct Talk: CarrierDialect {
        var beats = 0

        mutating func receive(text: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal) {
            let words = String(decoding: text.indices.map { text[$0] }, as: UTF8.self).split(separator: " ")
            switch words.first {
            case "begin":
                try desk.begin(
                    CallFacts(carrier: Chatty.type, uuid: words.last.map(String.init)),
                    audio: CallAudio(sampleRate: 8000))
                desk.event("begun", [:])
                desk.malformed("an odd word in the first message")
                desk.reply("welcome")
            case "bye":
                desk.reply("goodbye")
                desk.end("the carrier said bye")
            default: desk.malformed("a word that means nothing")
            }
        }

        mutating func receive(binary: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal) {
            guard desk.hasBegun else { throw CarrierRefusal(.policy, "audio before the beginning") }
            desk.audio(binary.extracting(droppingFirst: 1))
            desk.reply(binary: [binary[0]])
        }

        mutating func tick(at desk: inout Desk) {
            beats += 1
            desk.event("beat", ["number": .integer(beats)])
            desk.reply("beat")
        }

        mutating func end(at desk: inout Desk) { desk.event("end of talk", [:]) }
    }
}

@Suite struct CarriersTests {
    /// Runs Python with `connect` of the websockets library, and the server's address as `base`.
    private func client(_ server: TestServer, _ code: String) async throws -> String {
        let preamble = """
            import asyncio, inspect, json, sys, websockets
            from websockets.exceptions import ConnectionClosed, InvalidHandshake
            base = "ws://127.0.0.1:" + sys.argv[1]
            speech = open(sys.argv[2], "rb").read()[44:44 + 32000]
            # The library changed this name.
            names = inspect.signature(websockets.connect.__init__).parameters
            header = "additional_headers" if "additional_headers" in names else "extra_headers"
            def connect(url, headers={}, subprotocols=None):
                return websockets.connect(url, subprotocols=subprotocols, **{header: headers})
            async def refused(url, headers={}):
                try:
                    async with connect(url, headers): return "open"
                except InvalidHandshake as refusal:
                    return getattr(refusal, "status_code", None) or refusal.response.status_code

            """
        let body = code.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
        let program = preamble + "async def main():\n" + body.joined(separator: "\n") + "\nasyncio.run(main())\n"
        let output = try await Judge.python(program, ["\(server.address.port)", Speech.path])
        return String(decoding: output, as: UTF8.self)
    }

    @Test func `a client that names its format and sends samples is recorded, with its events`() async throws {
        let list = #"[{"type": "pcm", "key": "not-a-real-key-0123"}]"#
        try await TestServer.run(carriers: (list, .builtIn)) { server in
            let said = try await client(
                server,
                """
                for path in ["", "?key=wrong"]: print(await refused(base + "/calls/pcm" + path))
                async with connect(base + "/calls/pcm?key=not-a-real-key-0123") as socket:
                    await socket.send(json.dumps({"sampleRate": 16000, "from": "anna", "uuid": "u", "room": 7}))
                    await socket.send(speech[:15999])
                    await socket.send(json.dumps({"event": "mark", "name": "half"}))
                    await socket.send(speech[15999:])
                    await socket.send(json.dumps({"event": "end"}))
                    try: await asyncio.wait_for(socket.recv(), 20)
                    except ConnectionClosed as end: print(end.rcvd.code)
                async with connect(base + "/calls/pcm", headers={"Authorization": "Bearer not-a-real-key-0123"}) as socket:
                    await socket.send(speech)
                    try: await asyncio.wait_for(socket.recv(), 20)
                    except ConnectionClosed as end: print(end.rcvd.code, "sampleRate" in end.rcvd.reason)
                """)
            #expect(said == "401\n401\n1000\n1008 True\n")
            let recording = try await server.finished().first
            #expect(recording?.call.carrier == "pcm" && recording?.call.from == "anna" && recording?.call.uuid == "u")
            #expect(recording?.call.headers == ["room": 7] && recording?.framesReceived == 16000)
            #expect(recording?.endReason == "the client ended the call")
            #expect(recording?.events.map(\.type) == ["mark"])
            #expect(recording?.events.map(\.frame.frames) == [7999])
            let file = try server.file("wav", of: try #require(recording))
            let samples = try await Judge.wavPCM(file, rate: 16000)
            #expect(try samples == Data(contentsOf: URL(fileURLWithPath: Speech.path)).dropFirst(44).prefix(32000))
        }
    }

    @Test func `two entries of one type have their own paths, webhooks and tokens`() async throws {
        let list = #"[{"type": "vonage"}, {"type": "vonage", "name": "second"}, {"type": "pcm", "enabled": false}]"#
        try await TestServer.run(carriers: (list, .builtIn)) { server in
            func answer(_ path: String) async throws -> String {
                let text = try await Program("curl").run(["-s", server.http + path + "?uuid=u"]).text
                let ncco = try JSONValue(parsing: Data(text.utf8))
                guard case .array(let actions) = ncco, case .array(let ends) = actions.last?["endpoint"] else {
                    throw NeverHappened(description: "an NCCO in \(text)")
                }
                return try #require(ends.first?["uri"]?.string)
            }
            let first = try await answer("/webhooks/answer"), second = try await answer("/webhooks/second/answer")
            #expect(first.contains("/cable?token=") && second.contains("/calls/second?token="))
            let swapped = second.replacing("/calls/second", with: "/cable")
            let said = try await client(
                server,
                """
                for url in ["\(swapped)", "\(first)", "\(second)", base + "/calls/pcm", base + "/calls/vonage"]:
                    try:
                        async with connect(url) as socket:
                            await socket.send('{"content-type": "audio/l16;rate=16000", "uuid": "u"}')
                            await socket.send(speech)
                            print("open")
                    except InvalidHandshake as refusal:
                        print(getattr(refusal, "status_code", None) or refusal.response.status_code)
                """)
            #expect(said == "401\nopen\nopen\n404\n404\n")
            #expect(try await server.finished(2).map(\.framesReceived) == [16000, 16000])
        }
    }

    @Test func `a carrier of one's own answers, beats, ends the call and uses each proof once`() async throws {
        var registry = CarrierRegistry()
        registry.register(Chatty.self)
        try await TestServer.run(carriers: (#"[{"type": "chatty"}]"#, registry)) { server in
            let answer = try await Program("curl").run([
                "-s", "-i", server.http + "/webhooks/chatty/answer?id=a%2Bb",
            ]).text
            #expect(answer.contains("text/xml") && answer.contains("<Stream>ws://"))
            let url = try #require(answer.split(separator: "<Stream>").last?.split(separator: "</").first)
            let said = try await client(
                server,
                """
                proof = {"X-Proof": "one"}
                print(await refused("\(url)"))
                async with connect("\(url)", subprotocols=["other", "chat"], headers=proof) as socket:
                    print(socket.subprotocol)
                    await socket.send("begin a+b")
                    print(await asyncio.wait_for(socket.recv(), 20))
                """)
            #expect(said == "401\nchat\nwelcome\n")
            let again = try await client(
                server,
                """
                print(await refused("\(url)", {"X-Proof": "one"}))
                """)
            #expect(again == "401\n")
        }
    }

    @Test func `a proof is good once, at whichever entry it is used`() async throws {
        var registry = CarrierRegistry()
        registry.register(Chatty.self)
        let list = #"[{"type": "chatty", "requireToken": false}, {"type": "chatty", "requireToken": false}]"#
        try await TestServer.run(carriers: (list, registry)) { server in
            let said = try await client(
                server,
                """
                for path in ["/calls/chatty", "/calls/chatty-2", "/calls/chatty-2"]:
                    print(await refused(base + path, {"X-Proof": "one"}))
                print(await refused(base + "/calls/chatty-2", {"X-Proof": "two"}))
                """)
            #expect(said == "open\n401\n401\nopen\n")
        }
    }

    @Test(arguments: [
        (#"[{"type": "pcm"}]"#, nil),
        (#"[{"type": "pcm"}, {"type": "vonage", "webhooks": "/hooks"}]"#, "/hooks/answer"),
    ])
    func `the API names the first answer webhook, if there is one`(list: String, path: String?) async throws {
        try await TestServer.run(carriers: (list, .builtIn)) { server in
            let answer = try JSONValue(
                parsing: Data(try await Program("curl").run(["-s", server.http + "/api/calls"]).text.utf8))
            #expect(answer["answerURL"] == path.map { .string(server.http + $0) } ?? .null)
            let command = answer["testCommand"]?.string
            #expect((command == nil) == (path == nil) && command?.contains(path ?? "") ?? true, "\(answer)")
        }
    }

    @Test func `what a dialect says takes effect in the order of the messages`() async throws {
        var registry = CarrierRegistry()
        registry.register(Chatty.self)
        let list = #"[{"type": "chatty", "requireToken": false, "path": "/talk"}]"#
        try await TestServer.run(carriers: (list, registry)) { server in
            let said = try await client(
                server,
                """
                async with connect(base + "/talk", headers={"X-Proof": "two"}) as socket:
                    await socket.send("begin u")
                    await socket.send(b"\\x07" + speech[:1600])
                    await socket.send("what")
                    texts = []
                    while texts.count("beat") < 2: texts.append(await asyncio.wait_for(socket.recv(), 20))
                    await socket.send(b"\\x08" + speech[1600:1602])
                    await socket.send("bye")
                    while True:
                        try: texts.append(await asyncio.wait_for(socket.recv(), 20))
                        except ConnectionClosed as end:
                            print([text for text in texts if text != "beat"], end.rcvd.code)
                            break
                """)
            #expect(said == "['welcome', b'\\x07', b'\\x08', 'goodbye'] 1000\n")
            let recording = try #require(try await server.finished().first)
            #expect(recording.framesReceived == 801 && recording.malformedMessages == 2)
            #expect(recording.endReason == "the carrier said bye")
            let types = recording.events.map(\.type)
            #expect(types.count { $0 == "beat" } >= 2 && types.last == "end of talk", "\(types)")
            #expect(types.first == "begun", "\(types)")
            // An event beside the audio, with a proof for one use.
            let status = server.http + "/webhooks/chatty/status"
            func ask(_ query: String, _ proof: String) async throws -> String {
                try await Program("curl").run([
                    "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "X-Proof: \(proof)", status + query,
                ]).text
            }
            #expect(try await ask("", "p") == "400")
            #expect(try await ask("?id=u", "p") == "204")
            // The same request again is a repetition; another one with the same proof is not.
            #expect(try await ask("?id=u", "p") == "204")
            #expect(try await ask("?id=v", "p") == "401")
            let late = try await eventually("the late event") {
                try await server.finished().first { $0.events.contains { $0.type == "status" } }
            }
            #expect(late.events.count { $0.type == "status" } == 1)
        }
    }

    @Test(arguments: [
        (#""carriers": []"#, ["carriers: has no enabled carrier"]),
        (#""carriers": {"type": "pcm"}"#, ["carriers: {\"type\":\"pcm\"} is not a list of carriers"]),
        (
            #""carriers": [7, {}, {"type": "pmc"}]"#,
            ["carriers[0]: 7 is not a carrier", "carriers[1].type: is missing", "did you mean \"pcm\"?"]
        ),
        (
            #""carriers": [{"type": "pcm"}, {"type": "vonage", "path": "/calls/pcm/", "talc": ""}]"#,
            [
                "carriers[1].path: \"/calls/pcm/\" has an empty part",
                "carriers[1].talc: unknown key; did you mean \"talk\"?",
            ]
        ),
        (
            #""carriers": [{"type": "pcm", "name": "a"}, {"type": "pcm", "name": "A"}]"#,
            ["carriers[1].name: \"A\" is the name of another carrier already"]
        ),
        (
            #""carriers": [{"type": "pcm", "path": "/api/x"}, {"type": "vonage", "path": "/webhooks/a"}]"#,
            [
                "carriers[0].path: \"/api/x\" is a reserved path",
                "carriers[1].path: \"/webhooks/a\" is taken",
            ]
        ),
        (#""carriers": [{"type": "pcm"}], "vonage": {}"#, ["vonage: is given beside \"carriers\""]),
        (#""pcm": {}, "vonage": {}"#, ["vonage: is a second carrier beside pcm"]),
        (#""vonage": 7"#, ["vonage: "]),
    ])
    func `mistakes in carriers are found at once, each with its path`(text: String, wanted: [String]) throws {
        var problems: [ConfigurationProblem] = []
        _ = Configuration(
            try JSONValue(parsing: Data("{\(text), \"sinks\": [{\"type\": \"wav\"}]}".utf8)),
            plugins: Plugins(sinks: .builtIn, carriers: .builtIn), environment: [:], problems: &problems)
        let found = problems.map(\.description)
        for problem in wanted { #expect(found.contains { $0.contains(problem) }, "\(problem) in \(found)") }
        #expect(found.count == wanted.count, "\(found)")
    }
}
