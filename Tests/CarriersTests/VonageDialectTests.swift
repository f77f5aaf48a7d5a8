import Testing

@testable import CallreelCarriers
@testable import CallreelCore

@Suite struct VonageDialectTests {
    private func understand(_ texts: String...) throws(CarrierRefusal) -> DeskLog.Said {
        try DeskLog.understand(VonageDialect(), texts)
    }

    private static let handshake = #"{"event":"websocket:connected","content-type":"audio/l16;rate=16000"}"#

    @Test(arguments: [
        (#"{"event":"websocket:connected","content-type":"audio/l16;rate=8000"}"#, 8000),
        (#"{"content-type":"audio/l16; rate=16000","event":"websocket:connected","x":[1,{"y":null}]}"#, 16000),
        (#" {"content-type":"AUDIO/L16;Rate=24000"}"#, 24000),
        (#"{"content-type":"audio/l16 ; channels=1 ; rate=\"16000\" ; future=yes"}"#, 16000),
        (#"{"event":"something of the customer's","content-type":"audio/l16;rate=16000"}"#, 16000),
    ])
    func `every tolerated handshake starts the call at its own rate`(text: String, rate: Int) throws {
        guard case .started(let facts, let format) = try understand(text) else { throw Unexpected(text) }
        #expect(format == AudioFormat(sampleRate: rate))
        #expect(facts.carrier == "vonage")
    }

    @Test(arguments: [
        ("WSBRIDGE", CarrierRecognition.yes), ("a, WSBRIDGE", .yes), (" \tWSBRIDGE \t", .yes), ("WSBRIDGE , a", .yes),
        ("WSBRIDGES", .maybe), ("a", .maybe),
    ])
    func `the older bridge is known by its subprotocol`(offered: String, recognition: CarrierRecognition) throws {
        let context = CarrierContext(name: "vonage", place: .root) { _ in "" }
        let carrier = try Vonage(options: VonageOptions(), context: context)
        let request = CarrierRequest("GET", "/cable", headers: [("Sec-WebSocket-Protocol", offered)])
        #expect(carrier.recognizes(request) == recognition)
        #expect(try carrier.admit(request).subprotocol == (recognition == .yes ? "WSBRIDGE" : nil))
    }

    @Test(arguments: [
        (#""from":"1","from":"2""#, "2"), (#""from":+49123456789"#, "+49123456789"),
        (#""from":0049123456789"#, "0049123456789"),
        (#""from":12345678901234567890123"#, "12345678901234567890123"), (#""from":"1","x":1e999"#, "1"),
        ("\"from\":\"a\tb\"", "a\tb"),
    ])
    func `a handshake with a key that stands twice or an odd number is taken`(more: String, from: String) throws {
        let text = #"{"event":"websocket:connected","content-type":"audio/l16;rate=16000",\#(more)}"#
        guard case .started(let facts, _) = try understand(text) else { throw Unexpected(text) }
        #expect(facts.from == from)
    }

    @Test func `the call's facts are found and the rest is kept`() throws {
        let text =
            #"{"event":"websocket:connected","content-type":"audio/l16;rate=16000","uuid":"u","from":447700900123,"caller-id":"x","to":"t","conversation_uuid":"c","language":"en-GB","nested":{"a":[true]}}"#
        guard case .started(let facts, _) = try understand(text) else { throw Unexpected(text) }
        #expect(facts.uuid == "u" && facts.from == "447700900123" && facts.to == "t" && facts.conversation == "c")
        #expect(facts.headers == ["caller-id": "x", "language": "en-GB", "nested": .object(["a": .array([true])])])
    }

    @Test(arguments: [
        ("hello", 1007, "hello"), ("", 1007, "JSON"), ("[1]", 1008, "[1]"),
        (#"{"event":"websocket:dtmf","digit":"1"}"#, 1008, "websocket:dtmf"),
        (#"{"event":"websocket:connected"}"#, 1008, "content-type"),
        (#"{"content-type":"audio/ogg"}"#, 1003, "audio/ogg"),
        (#"{"content-type":"audio/l16"}"#, 1003, "missing"),
        (#"{"content-type":"audio/l16;rate=11025"}"#, 1003, "11025"),
        (#"{"content-type":"audio/l16;rate=fast"}"#, 1003, "fast"), (#"{"content-type":16000}"#, 1003, "16000"),
        (#"{"content-type":"audio/l16;rate=16000;channels=2"}"#, 1003, "2 channels"),
    ])
    func `a handshake that cannot be recorded is refused with its value`(text: String, code: UInt16, names: String) {
        do throws(CarrierRefusal) {
            Issue.record("taken: \(try understand(text))")
        } catch {
            #expect(error.kind.code == code)
            #expect(error.reason.contains(names) || text.isEmpty || code == 1007, "\(error.reason)")
        }
    }

    @Test(arguments: [
        (#"{"event":"websocket:dtmf","digit":"5","duration":260}"#, "5"), (##"{"digit":"#","duration":130}"##, "#"),
        (#"  {"event":"websocket:dtmf","digit":7}"#, "7"), (#"{"dtmf":{"digit":"*"}}"#, "*"), (#"{"dtmf":"0"}"#, "0"),
        (#"{"event":"websocket:dtmf","dtmf":{"digit":"2","duration":100}}"#, "2"),
    ])
    func `a digit is understood in every form`(text: String, digit: String) throws {
        guard case .event("dtmf", let data) = try understand(Self.handshake, text) else { throw Unexpected(text) }
        #expect(data["digit"] == .string(digit))
    }

    @Test func `other messages are events, and what cannot be understood is not fatal`() throws {
        guard case .event("cleared", [:]) = try understand(Self.handshake, #"{"event":"websocket:cleared"}"#) else {
            throw Unexpected("cleared")
        }
        guard
            case .event("media:update", let data) = try understand(
                Self.handshake, #"{"event":"websocket:media:update","active":false}"#)
        else { throw Unexpected("update") }
        #expect(data == ["active": false])
        for text in ["nonsense", "7", #"{"a":1}"#, #"{"event":"websocket:dtmf"}"#, #"{"audio":"***"}"#, Self.handshake]
        {
            guard case .malformed = try understand(Self.handshake, text) else { throw Unexpected(text) }
        }
    }

    @Test func `audio is refused until the handshake has come`() throws {
        let log = DeskLog()
        var dialect = VonageDialect(), desk = Desk(log)
        for audio in [[], [1, 2]] as [[UInt8]] {
            #expect(throws: CarrierRefusal.self) { try dialect.receive(binary: audio.span, at: &desk) }
        }
        try dialect.receive(text: Array(Self.handshake.utf8).span, at: &desk)
        // From here on the server takes binary messages by itself.
        guard case .audio = log.binary else { throw Unexpected("binary messages are not audio") }
    }

    /// A message of an unexpected kind.
    private struct Unexpected: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }
}
