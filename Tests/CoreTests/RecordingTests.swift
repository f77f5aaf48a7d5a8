import Foundation
import Testing

@testable import CallreelCore

@Suite struct RecordingTests {
    /// A manifest with a value in every place.
    static func full() -> Recording {
        var recording = Recording(
            id: RecordingID("63f61863a1b2c3d4e5f60718293a4b5c")!, name: "2026-11-22/call",
            call: CallFacts(
                carrier: "vonage", from: "447700900123", to: "441632960000", uuid: "aaaa", conversation: "CON-1",
                headers: ["x": .object(["deep": .array([1, .number(0.5), .null, true])])]),
            format: AudioFormat(sampleRate: 16000, channels: 2),
            startedAt: Date(timeIntervalSince1970: 1_795_385_700.25),
            ended: (Date(timeIntervalSince1970: 1_795_385_701), "the caller hung up"))
        recording.sinks = [
            Recording.Sink(type: "wav", name: "wav", state: .complete),
            Recording.Sink(type: "flac", name: "flac-2", state: .failed),
        ]
        recording.sinks[0].written = 100
        recording.sinks[0].silence = 20
        recording.sinks[0].files = [.init(name: "2026-11-22/call.wav", bytes: 524, frames: 120, sha256: "ab")]
        recording.sinks[0].details = ["level": 5]
        recording.sinks[1].lost = 120
        recording.sinks[1].error = "no space"
        recording.sinks[1].blame = .destination
        recording.framesReceived = 120
        recording.leftoverBytes = 3
        recording.malformedMessages = 2
        recording.droppedEvents = 1
        recording.events = [
            .init(frame: FramePosition(60), at: recording.startedAt, type: "dtmf", data: ["digit": "5"])
        ]
        return recording
    }

    @Test func `a manifest reads back as it was written`() throws {
        let data = try Self.full().encoded()
        let again = try Recording(json: data)
        #expect(try again.encoded() == data)
        #expect(again.id == Self.full().id)
        #expect(again.call == Self.full().call)
        #expect(again.format == Self.full().format)
        #expect(again.startedAt == Self.full().startedAt)
        #expect(again.events == Self.full().events)
        #expect(again.sinks[1].blame == .destination)
        #expect(again.seconds == 0.0075)
    }

    @Test func `a manifest is plain JSON for other programs`() throws {
        let value = try JSONValue(parsing: try Self.full().encoded())
        #expect(value["version"] == 1)
        #expect(value["id"] == "63f61863a1b2c3d4e5f60718293a4b5c")
        #expect(value["startedAt"] == "2026-11-22T22:15:00.250Z")
        #expect(value["endedAt"] == "2026-11-22T22:15:01.000Z")
        #expect(value["framesReceived"] == 120)
        guard case .array(let events) = try #require(value["events"]) else { return #expect(Bool(false), "a list") }
        #expect(events.first?["frame"] == 60)
        #expect(events.first?["data"]?["digit"] == "5")
    }

    @Test func `another version is refused by its number, whatever else it says`() throws {
        for text in [
            #"{"version": 2, "layout": "unheard of"}"#, String(decoding: try Self.full().encoded(), as: UTF8.self),
        ] {
            let other = text.replacing(#""version" : 1"#, with: #""version" : 2"#)
            let error = #expect(throws: ManifestError.self) { try Recording(json: Data(other.utf8)) }
            #expect(error?.description == "manifest version 2 is not 1")
        }
    }

    @Test func `what is no manifest is refused`() {
        for text in ["", "{}", "[1]", #"{"version": "1"}"#] {
            #expect(throws: (any Error).self) { try Recording(json: Data(text.utf8)) }
        }
    }

    @Test func `a date keeps its milliseconds, however often it is written`() throws {
        let texts = (0..<1000).map { "2026-11-22T10:15:00." + String("00\($0)".suffix(3)) + "Z" }
        #expect(texts.filter { Date(manifestText: $0)?.manifestText != $0 } == [])
        #expect(Date(manifestText: "yesterday") == nil)
    }

    @Test func `an identifier is 32 digits, and nothing else is one`() throws {
        let id = RecordingID()
        #expect(RecordingID(id.description) == id)
        #expect(id.description.hasPrefix(id.short))
        #expect(id.short.count == 8)
        #expect(RecordingID() != id)
        for text in [
            "", "63f61863", String(repeating: "g", count: 32), String(repeating: "A", count: 32),
            "../" + String(repeating: "0", count: 29),
        ] {
            #expect(RecordingID(text) == nil, "\(text)")
        }
    }

    @Test func `facts are completed, never replaced`() {
        var facts = CallFacts(carrier: "vonage", from: "1", headers: ["a": 1])
        facts.complete(
            with: CallFacts(
                carrier: "other", from: "2", to: "3", uuid: "4", conversation: "5", headers: ["a": 2, "b": 3]))
        #expect(
            facts
                == CallFacts(
                    carrier: "vonage", from: "1", to: "3", uuid: "4", conversation: "5", headers: ["a": 1, "b": 3]))
    }

    @Test func `an error has the system's words after its own`() {
        #expect("\(DiskError("cannot open x", underlying: 2))" == "cannot open x: No such file or directory")
        #expect("\(SinkError(.write, "cannot write x", underlying: 28))" == "cannot write x: No space left on device")
        #expect("\(SinkError(.write, "no"))" == "no")
    }
}
