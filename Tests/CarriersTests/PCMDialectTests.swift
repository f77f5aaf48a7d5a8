import Testing

@testable import CallreelCarriers
@testable import CallreelCore

@Suite struct PCMDialectTests {
    private func understand(_ texts: String...) throws(CarrierRefusal) -> DeskLog.Said {
        try DeskLog.understand(PCMDialect(), texts)
    }

    @Test func `the first message begins the call, with its format, its names and the rest`() throws {
        let text =
            #"{"sampleRate": 8000, "channels": 2, "from": "anna", "to": 7, "uuid": "u", "conversation": "c", "x": [1]}"#
        guard case .started(let facts, let format) = try understand(text) else { throw Unexpected(text) }
        #expect(format == AudioFormat(sampleRate: 8000, channels: 2))
        #expect(
            facts
                == CallFacts(
                    carrier: "pcm", from: "anna", to: "7", uuid: "u", conversation: "c",
                    headers: ["x": .array([1])]))
    }

    @Test func `the legs on the channels are facts of the call`() throws {
        let text = #"{"sampleRate": 8000, "channels": 2, "legs": ["callee", "caller"]}"#
        guard case .started(let facts, _) = try understand(text) else { throw Unexpected(text) }
        #expect(facts.legs == ["callee", "caller"] && facts.headers == [:])
    }

    @Test func `numbers may be written with a point, and a value that names nothing is kept`() throws {
        let text = #"{"sampleRate": 16000.0, "channels": 1.0, "from": "", "uuid": {"a": 1}, "conversation": [7]}"#
        guard case .started(let facts, let format) = try understand(text) else { throw Unexpected(text) }
        #expect(format == AudioFormat(sampleRate: 16000))
        #expect(
            facts
                == CallFacts(
                    carrier: "pcm", headers: ["from": "", "uuid": .object(["a": 1]), "conversation": .array([7])]))
    }

    @Test(arguments: [
        ("hello", 1007, "JSON"), ("[1]", 1008, "[1]"), ("{}", 1008, "sampleRate"),
        (#"{"sampleRate": "fast"}"#, 1003, "fast"), (#"{"sampleRate": 11025}"#, 1003, "11025"),
        (#"{"sampleRate": 16000, "channels": 3}"#, 1003, "3"), (#"{"sampleRate": 16000, "channels": "2"}"#, 1003, "2"),
        (#"{"sampleRate": 16000, "coding": "mulaw"}"#, 1003, "mulaw"), (#"{"event": "end"}"#, 1008, "sampleRate"),
        (#"{"sampleRate": 16000, "legs": ["caller", "callee"]}"#, 1003, "2 legs, but its audio has 1 channels"),
        (#"{"sampleRate": 16000, "legs": "caller"}"#, 1008, "\"caller\" is not a list"),
        (#"{"sampleRate": 16000, "legs": [1]}"#, 1008, "legs [1]"),
    ])
    func `a beginning that cannot be recorded is refused with its value`(text: String, code: UInt16, names: String) {
        do throws(CarrierRefusal) {
            Issue.record("taken: \(try understand(text))")
        } catch {
            #expect(error.kind.code == code && error.reason.contains(names), "\(error.reason)")
        }
    }

    @Test func `later messages are events, the last one ends the call, and nonsense is not fatal`() throws {
        let begin = #"{"sampleRate": 16000}"#
        guard case .event("mark", let data) = try understand(begin, #"{"event": "mark", "name": "a"}"#) else {
            throw Unexpected("mark")
        }
        #expect(data == ["name": "a"])
        guard case .end = try understand(begin, #"{"event": "end"}"#) else { throw Unexpected("end") }
        for text in ["nonsense", "7", "{}", #"{"event": ""}"#, begin] {
            guard case .malformed = try understand(begin, text) else { throw Unexpected(text) }
        }
    }

    @Test func `audio is refused until the first message has come`() {
        var dialect = PCMDialect(), desk = Desk(DeskLog())
        #expect(throws: CarrierRefusal.self) { try dialect.receive(binary: [UInt8]([1, 2]).span, at: &desk) }
    }

    private struct Unexpected: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }
}
