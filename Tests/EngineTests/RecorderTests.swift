import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct RecorderTests {
    let workspace: Workspace
    let recorder: Recorder

    init() throws {
        workspace = try Workspace()
        let store = RecordingStore(directory: workspace.path, template: try NameTemplate("{id}"))
        try store.prepare()
        recorder = Recorder(
            store: store, settings: RecorderSettings(sinks: []), registry: testRegistry, catalogue: RecordingIndex(),
            logger: silentLogger)
    }

    func facts(_ uuid: String?, conversation: String? = nil, from: String? = nil, to: String? = nil) -> CallFacts {
        CallFacts(carrier: "test", from: from, to: to, uuid: uuid, conversation: conversation)
    }

    /// Records a whole call of so many frames, and returns its manifest from disk.
    func record(_ call: CallFacts, frames: Int = 160) async throws -> Recording {
        let running = recorder.startCall(call, format: .telephone), session = running.session
        _ = session.receive(ramp(0..<frames))
        session.end("over")
        let name = try await running.result.value.get().name
        return try recorder.store.manifest(named: name)
    }

    @Test func `what was said of an expected call is in its manifest`() async throws {
        recorder.expect(facts("A", conversation: "C", from: "1", to: "2"))
        recorder.expect(facts("B", from: "3"))
        await recorder.note("answered", data: ["n": 1], of: facts("A"))
        await recorder.note("answered", data: ["n": 1], of: facts("A"))
        await recorder.note("ringing", data: [:], of: facts(nil, conversation: "C"))
        let recording = try await record(facts("A"))
        #expect(recording.call == facts("A", conversation: "C", from: "1", to: "2"))
        #expect(recording.events.map(\.type) == ["answered", "ringing"])
        #expect(recording.events.map(\.frame) == [.start, .start])
        #expect(try await record(facts("B")).call.from == "3")
    }

    @Test func `an expectation serves one call`() async throws {
        recorder.expect(facts("A", from: "1"))
        #expect(try await record(facts("A")).call.from == "1")
        #expect(try await record(facts("A")).call.from == nil)
    }

    @Test func `all that waits for a call comes to it, whatever name it was said under`() async throws {
        await recorder.note("by uuid", data: [:], of: facts("A"))
        await recorder.note("by conversation", data: [:], of: facts(nil, conversation: "C"))
        let recording = try await record(facts("A", conversation: "C"))
        #expect(recording.events.map(\.type).sorted() == ["by conversation", "by uuid"])
    }

    @Test func `what the call says of itself is not replaced`() async throws {
        recorder.expect(facts("A", from: "somebody else", to: "2"))
        #expect(try await record(facts("A", from: "1")).call == facts("A", from: "1", to: "2"))
    }

    @Test func `facts about calls that never come take a bounded room, and the oldest go first`() async throws {
        for number in 0...ExpectedFacts.limit { recorder.expect(facts("\(number)", from: "from \(number)")) }
        #expect(try await record(facts("0")).call.from == nil)
        #expect(try await record(facts("1")).call.from == "from 1")
        #expect(try await record(facts("\(ExpectedFacts.limit)")).call.from == "from \(ExpectedFacts.limit)")
    }

    @Test func `an event finds the running call that it belongs to`() async throws {
        let calls = ["A", "B"].map { recorder.startCall(facts($0), format: .telephone) }
        let sessions = calls.map(\.session)
        _ = sessions[1].receive(ramp(0..<800))
        await recorder.note("dtmf", data: ["digit": "1"], of: facts("B", from: "4"))
        await recorder.note("dtmf", data: ["digit": "1"], of: facts("B", from: "4"))
        for session in sessions { session.end("over") }
        let first = try await calls[0].result.value.get(), second = try await calls[1].result.value.get()
        #expect(first.events.isEmpty)
        #expect(second.events.map(\.frame.frames) == [800])
        #expect(second.call.from == "4")
    }

    @Test func `an event of one leg stays with it, though the other leg is in the same conversation`() async throws {
        for _ in 0..<10 {
            let calls = ["A", "B"].map { recorder.startCall(facts($0, conversation: "C"), format: .telephone) }
            for leg in ["A", "B"] {
                await recorder.note("answered", data: ["leg": .string(leg)], of: facts(leg, conversation: "C"))
            }
            for (call, leg) in zip(calls, ["A", "B"]) {
                call.session.end("over")
                #expect(try await call.result.value.get().events.map(\.data) == [["leg": .string(leg)]])
            }
        }
    }

    @Test func `an event after publication is added to the manifest, once`() async throws {
        let recording = try await record(facts("A", conversation: "C"), frames: 480)
        for _ in 0..<3 { await recorder.note("completed", data: ["price": "0.01"], of: facts("A")) }
        await recorder.note("completed", data: ["price": "0.02"], of: facts(nil, conversation: "C"))
        let manifest = try recorder.store.manifest(named: recording.name)
        #expect(manifest.events.map(\.type) == ["completed", "completed"])
        #expect(manifest.events.map(\.frame.frames) == [480, 480])
        #expect(try workspace.files() == [".partial", "\(recording.name).json"])
    }

    @Test func `late events from many sides at once are all kept`() async throws {
        let recording = try await record(facts("A"))
        await withTaskGroup { group in
            for number in 0..<50 {
                group.addTask { await recorder.note("n", data: ["n": .integer(number)], of: facts("A")) }
            }
        }
        #expect(try recorder.store.manifest(named: recording.name).events.count == 50)
    }

    /// A carrier's webhooks know nothing of the socket. They come while the call begins, and while it is published.
    @Test func `an event is kept, whenever it comes`() async throws {
        for number in 0..<60 {
            let call = facts("\(number)")
            async let events: Void = {
                for event in 0..<80 {
                    // The recorder keeps so many events for an unknown call. The rest are sent while the call is there.
                    while event == ExpectedFacts.eventLimit, recorder.index.count <= number,
                        recorder.liveCalls.isEmpty
                    { await Task.yield() }
                    await recorder.note("n", data: ["n": .integer(event)], of: call)
                    await Task.yield()
                }
            }()
            for _ in 0..<number % 10 { await Task.yield() }
            let name = try await record(call).name
            await events
            #expect(try recorder.store.manifest(named: name).events.count == 80)
        }
    }

    @Test func `running calls are listed, oldest first, until they are published`() async throws {
        let calls = ["A", "B", "C"].map { recorder.startCall(facts($0), format: .telephone) }
        let sessions = calls.map(\.session)
        _ = sessions[1].receive(ramp(0..<160))
        #expect(recorder.liveCalls.map(\.call.uuid) == ["A", "B", "C"])
        #expect(recorder.liveCalls.map(\.framesReceived) == [0, 160, 0])
        sessions[0].end("over")
        _ = await calls[0].result.value
        #expect(recorder.liveCalls.map(\.call.uuid) == ["B", "C"])
        #expect(recorder.index.page(limit: 9, offset: 0).map(\.call.uuid) == ["A"])
    }

    @Test func `a recorder that runs reads what was recorded before it, and keeps time until it is cancelled`()
        async throws
    {
        let recording = try await record(facts("A"))
        let probe = Probe()
        var problems: [ConfigurationProblem] = []
        let plans = SinkPlan.read(
            .array([.object(["type": "probe", "probe": .string(probe.name), "checkpoint": .number(0.1)])]), at: .root,
            registry: testRegistry,
            problems: &problems)
        let next = Recorder(
            store: recorder.store, settings: RecorderSettings(sinks: plans), registry: testRegistry,
            catalogue: RecordingIndex(),
            logger: silentLogger)
        let running = Task { await next.run() }
        try await until("the older recording is known") {
            next.index.page(limit: 9, offset: 0).map(\.id) == [recording.id]
        }
        let call = next.startCall(facts("B"), format: .telephone), session = call.session
        _ = session.receive(ramp(0..<160))
        try await until("the heartbeat brings a checkpoint") { probe.checkpoints == 1 }
        session.end("over")
        _ = try await call.result.value.get()
        running.cancel()
        await running.value
        #expect(next.index.count == 2)
    }
}
