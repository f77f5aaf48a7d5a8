import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct LateEventsTests {
    let workspace: Workspace
    let store: RecordingStore

    init() throws {
        workspace = try Workspace()
        store = RecordingStore(directory: workspace.path, template: try NameTemplate("{id}"))
        try store.prepare()
    }

    private func recorder(limit: Int = 20, events: Int = 1000) -> Recorder {
        Recorder(
            store: store, settings: RecorderSettings(sinks: [], eventLimit: events, lateEventLimit: limit),
            registry: testRegistry, catalogue: RecordingIndex(),
            logger: silentLogger)
    }

    private func facts(_ uuid: String) -> CallFacts { CallFacts(carrier: "test", uuid: uuid) }

    private func record(_ uuid: String, with recorder: Recorder) async throws -> Recording {
        let call = recorder.startCall(facts(uuid), format: .telephone), session = call.session
        session.note("first", data: [:])
        session.end("over")
        return try await call.result.value.get()
    }

    @Test func `a recording takes a limited number of late events, and counts the others`() async throws {
        let recorder = recorder()
        let recording = try await record("A", with: recorder)
        for number in 0..<50 { await recorder.note("n", data: ["n": .integer(number)], of: facts("A")) }
        await recorder.lateEvents.settle()
        let manifest = try store.manifest(named: recording.name)
        #expect(manifest.events.map { $0.data["n"] } == [nil] + (0..<20).map { .integer($0) })
        #expect(manifest.droppedEvents == 30)
        // The next program knows only the manifest.
        let next = self.recorder()
        next.index.scan(workspace.path)
        for number in 50..<60 { await next.note("n", data: ["n": .integer(number)], of: facts("A")) }
        await next.lateEvents.settle()
        #expect(try store.manifest(named: recording.name).droppedEvents == 40)
        #expect(try store.manifest(named: recording.name).events.count == 21)
    }

    @Test func `a recording that is full is not written for each further event`() async throws {
        let recorder = recorder()
        let recording = try await record("A", with: recorder)
        for number in 0..<21 { await recorder.note("n", data: ["n": .integer(number)], of: facts("A")) }
        let path = "\(workspace.path)/\(recording.name).json"
        func inode() throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int
        }
        let before = try inode()
        for number in 21..<200 { await recorder.note("n", data: ["n": .integer(number)], of: facts("A")) }
        #expect(try inode() == before)
        await recorder.lateEvents.settle()
        #expect(try store.manifest(named: recording.name).droppedEvents == 180)
    }

    @Test func `late events take a limited number of bytes, one by one and together`() async throws {
        let recorder = recorder(limit: 1000)
        let recording = try await record("A", with: recorder)
        await recorder.note(
            "large", data: ["text": .string(String(repeating: "x", count: CallEvent.byteLimit))], of: facts("A"))
        let text = String(repeating: "x", count: CallEvent.byteLimit - 100)
        for number in 0..<100 {
            await recorder.note("n", data: ["n": .integer(number), "text": .string(text)], of: facts("A"))
        }
        await recorder.lateEvents.settle()
        let manifest = try store.manifest(named: recording.name)
        #expect(manifest.events.count + manifest.droppedEvents == 102)
        #expect(manifest.events.count > 20 && !manifest.events.contains { $0.type == "large" })
        #expect(try manifest.encoded().count < 2 * LateEvents.byteLimit)
    }

    @Test func `events of an expected call that find no room are counted in its manifest`() async throws {
        let recorder = recorder()
        for number in 0..<ExpectedFacts.eventLimit + 7 {
            await recorder.note("n", data: ["n": .integer(number)], of: facts("A"))
        }
        let recording = try await record("A", with: recorder)
        #expect(recording.events.count == ExpectedFacts.eventLimit + 1)
        #expect(recording.droppedEvents == 7)
    }

    @Test func `an event finds its call by a name that came with an earlier event`() async throws {
        let recorder = recorder()
        let call = recorder.startCall(facts("A"), format: .telephone), session = call.session
        await recorder.note("one", data: [:], of: CallFacts(carrier: "test", uuid: "A", conversation: "C"))
        await recorder.note("two", data: [:], of: CallFacts(carrier: "test", conversation: "C"))
        session.end("over")
        let recording = try await call.result.value.get()
        #expect(recording.events.map(\.type) == ["one", "two"])
        await recorder.note("three", data: [:], of: CallFacts(carrier: "test", conversation: "C"))
        #expect(try store.manifest(named: recording.name).events.map(\.type) == ["one", "two", "three"])
    }
}
