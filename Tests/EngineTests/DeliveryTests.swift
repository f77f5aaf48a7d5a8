import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// Deliveries of finished recordings: each at least once, again after failures and restarts, and never again.
@Suite struct DeliveryTests {
    private let bench = DeliveryBench()

    @Test func `a finished recording is delivered once, with its files, and the manifest says so`() async throws {
        try await bench.run { server in
            let recording = try await server.record("A")
            let entry = try await server.delivered(recording)
            #expect(entry.type == "courier" && entry.attempts == 1 && entry.details == ["received": 1])
            #expect(entry.at != nil)
        }
        let parcel = try #require(bench.courier.parcels.first)
        #expect(bench.courier.parcels.count == 1 && parcel.attempt == 1 && parcel.call.from == "A")
        #expect(parcel.manifestPath == bench.workspace.path + "/A.json" && parcel.seconds == 0.1)
        let file = try #require(parcel.files.first)
        #expect(file.path == bench.workspace.path + "/A.pcm" && file.sink == "probe" && file.bytes == 1600)
        let measured = try FileSystem.measure(file.path)
        #expect(file.sha256 == measured.sha256)
        #expect(bench.outbox() == [])
        // Neither the outbox nor the scan of the archive makes it again.
        try await bench.run { server in
            try await until("the archive is read") { server.recorder.index.count == 1 }
            _ = try await server.delivered(try await server.record("B"))
        }
        #expect(bench.courier.parcels.map(\.name) == ["A", "B"])
    }

    @Test func `a failure is tried again, is seen from outside, and holds up no other recording`() async throws {
        bench.courier.fails { $0.name == "A" && $0.attempt < 3 }
        try await bench.run { server in
            let first = try await server.record("A")
            try await until("it has failed") { !server.recorder.readiness.warnings.isEmpty }
            #expect(server.recorder.readiness.isReady)
            #expect(server.recorder.readiness.warnings[0].hasPrefix("the delivery courier fails: nobody at home"))
            try await until("a note of it") { bench.note(first)?.attempts == 1 }
            #expect(bench.note(first)?.error == "nobody at home")
            _ = try await server.delivered(try await server.record("B"))
            let entry = try await server.delivered(first)
            #expect(entry.attempts == 3)
            try await until("nothing is wrong") { server.recorder.readiness.warnings == [] }
        }
        #expect(bench.courier.parcels.map(\.name) == ["B", "A"] && bench.outbox() == [])
    }

    @Test(arguments: [false, true]) func `what a program left is delivered by the next`(losesOutbox: Bool) async throws
    {
        bench.courier.fails { _ in true }
        let recording = try await bench.run { server in
            let recording = try await server.record("A")
            try await until("a note of it") { bench.note(recording)?.attempts == 1 }
            return recording
        }
        #expect(try bench.entry(recording)?.state == .pending)
        if losesOutbox {
            try FileManager.default.removeItem(atPath: bench.workspace.file(".callreel/outbox"))
            // What the scan finds and is new could be another server's.
            var older = try bench.manifest(recording)
            older.endedAt -= 3600
            try bench.store().update(older)
        }
        bench.courier.fails { _ in false }
        try await bench.run { server in
            let entry = try await server.delivered(recording)
            #expect(entry.attempts == (losesOutbox ? 1 : 2))
        }
        #expect(bench.courier.parcels.map(\.name) == ["A"] && bench.outbox() == [])
    }

    @Test func `the recording of a program that died is delivered once it is recovered`() async throws {
        let id = try await bench.run(runs: false) { server in
            let call = server.recorder.startCall(CallFacts(carrier: "test", from: "A"), format: .telephone)
            _ = call.session.receive(ramp(0..<800))
            try await until("its ledger is on disk") {
                FileSystem.exists(bench.workspace.file(".partial/\(call.session.id)/A.json"))
            }
            try await until("its audio too") {
                (FileSystem.size(bench.workspace.file(".partial/\(call.session.id)/A.pcm")) ?? 0) == 1600
            }
            // The copy is what a kill leaves.
            let copy = bench.workspace.path + "-killed"
            try FileManager.default.copyItem(atPath: bench.workspace.path, toPath: copy)
            call.session.end("over")
            _ = try await call.result.value.get()
            try FileManager.default.removeItem(atPath: bench.workspace.path)
            try FileManager.default.moveItem(atPath: copy, toPath: bench.workspace.path)
            // A server that has gone for longer than its lease.
            for name in FileSystem.names(in: bench.workspace.file(".partial")) where name.hasPrefix(Lease.prefix) {
                FileSystem.removeTree(bench.workspace.file(".partial/" + name))
            }
            return call.session.id
        }
        try await bench.run { _ in
            try await until("it is delivered") { bench.courier.parcels.contains { $0.id == id } }
        }
        #expect(bench.courier.parcels.count == 1)
    }

    @Test func `a delivery that hangs holds up no call, no other delivery and no end of the program`() async throws {
        bench.courier.hangs { $0.name == "A" }
        try await bench.run { server in
            _ = try await server.record("A")
            try await until("it hangs") { bench.courier.hanging == 1 }
            _ = try await server.delivered(try await server.record("B"))
        }
        // The end of the program has cancelled it.
        try await until("it was cancelled") { bench.courier.hanging == 0 }
        bench.courier.hangs { _ in false }
        try await bench.run { server in
            try await until("it is delivered") { bench.courier.parcels.map(\.name) == ["B", "A"] }
        }
    }

    @Test func `an attempt that takes too long is cancelled and made again`() async throws {
        bench.courier.hangs { $0.attempt == 1 }
        try await bench.run(#"{"type": "courier", "deadline": 1}"#) { server in
            let recording = try await server.record("A"), entry = try await server.delivered(recording)
            #expect(entry.attempts == 2)
        }
        #expect(bench.courier.parcels.map(\.attempt) == [2])
    }

    @Test func `a recording that is deleted is forgotten`() async throws {
        bench.courier.fails { _ in true }
        try await bench.run { server in
            let recording = try await server.record("A")
            try await until("a note of it") { bench.note(recording) != nil }
            try FileManager.default.removeItem(atPath: bench.workspace.file("A.json"))
            try await until("the outbox is empty") { bench.outbox() == [] }
            bench.courier.fails { _ in false }
            _ = try await server.delivered(try await server.record("B"))
        }
        #expect(bench.courier.parcels.map(\.name) == ["B"])
    }

    @Test func `what a delivery attaches stands beside the recording and in its manifest`() async throws {
        bench.courier.attaches { _ in [.init("txt", Array("good morning".utf8))] }
        let recording = try await bench.run { server in
            let recording = try await server.record("A")
            let entry = try await server.delivered(recording)
            let file = try FileSystem.measure(bench.workspace.file("A.courier.txt"))
            #expect(entry.files == [.init(name: "A.courier.txt", bytes: 12, sha256: file.sha256)])
            return recording
        }
        #expect(try bench.workspace.text("A.courier.txt") == "good morning")
        try bench.workspace.expectManifest(recording)
        let survey = try Verification(directory: bench.workspace.path, registry: testRegistry).survey()
        #expect(survey.problems.isEmpty, "\(survey.problems)")
        // A change of it is found.
        try bench.workspace.plant("A.courier.txt", "good evening")
        let found = Verification(directory: bench.workspace.path, registry: testRegistry).check(
            try bench.manifest(recording))
        #expect(found.problems.map(\.file) == ["A.courier.txt"] && found.files == 2, "\(found.problems)")
    }

    @Test(arguments: ["pcm", "../x", ".hidden", "json", ""])
    func `an attachment that would replace a file is refused, and nothing is changed`(suffix: String) async throws {
        // A file of nobody's under the very name.
        try bench.workspace.plant("A.courier.pcm", "mine")
        bench.courier.attaches { $0.attempt == 1 ? [.init(suffix, [1, 2, 3])] : [] }
        try await bench.run { server in
            let recording = try await server.record("A"), entry = try await server.delivered(recording)
            #expect(entry.attempts == 2)
        }
        #expect(try bench.workspace.text("A.courier.pcm") == "mine")
        #expect(try bench.workspace.files().filter { !$0.hasPrefix(".") } == ["A.courier.pcm", "A.json", "A.pcm"])
    }

    @Test func `a program that dies between an attachment and its manifest leaves nothing that stays unnamed`()
        async throws
    {
        bench.courier.attaches { [.init("txt", Array("attempt \($0.attempt)".utf8))] }
        let outbox = Outbox(store: try bench.store())
        bench.courier.fails { _ in true }
        let recording = try await bench.run { server in
            let recording = try await server.record("A")
            try await until("a note of it") { bench.note(recording) != nil }
            return recording
        }
        _ = try outbox.attach(
            .init("txt", Array("left".utf8)), of: .init(id: recording.id, delivery: "courier"), to: recording.name)
        #expect(try bench.workspace.text("A.courier.txt") == "left")
        bench.courier.fails { _ in false }
        try await bench.run { server in _ = try await server.delivered(recording) }
        #expect(try bench.workspace.text("A.courier.txt").hasPrefix("attempt "))
        #expect(bench.outbox() == [])
    }

    @Test func `of two servers with one directory, one delivers`() async throws {
        bench.courier.hangs { _ in true }
        let other = try bench.recorder(#"{"type": "courier"}"#)
        try await other.prepare()
        let second = Task { await other.run() }
        try await bench.run { server in
            let recording = try await server.record("A")
            try await until("one has it") { bench.courier.hanging == 1 }
            try await until("the other knows it") { other.index.count == 1 }
            other.deliverer.add(try bench.manifest(recording))
            try await Task.sleep(for: .milliseconds(200))
            #expect(bench.courier.hanging == 1)
            bench.courier.letGo()
            _ = try await server.delivered(recording)
        }
        second.cancel()
        await second.value
        #expect(bench.courier.parcels.count == 1)
    }

    @Test func `a note that somebody edited traps nobody, and a file that is left of a deleted recording goes`()
        async throws
    {
        bench.courier.attaches { _ in [.init("txt", [1])] }
        bench.courier.fails { _ in true }
        let outbox = Outbox(store: try bench.store())
        let recording = try await bench.run { server in
            let recording = try await server.record("A")
            try await until("a note of it") { bench.note(recording)?.attempts == 1 }
            return recording
        }
        let key = Outbox.Key(id: recording.id, delivery: "courier")
        _ = try outbox.attach(.init("txt", [2]), of: key, to: recording.name)
        for text in [#"{"recording": "A", "attempts": 9223372036854775807}"#, #"{"recording": "../A"}"#, "{"] {
            try bench.workspace.plant(".callreel/outbox/\(recording.id)/courier/note.json", text)
            try await bench.run { server in
                try await until("the archive is read") { server.recorder.index.count == 1 }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        try FileManager.default.removeItem(atPath: bench.workspace.file("A.json"))
        try bench.workspace.plant(
            ".callreel/outbox/\(recording.id)/courier/note.json", #"{"recording": "A", "attempts": 1}"#)
        try await bench.run { _ in try await until("the outbox is empty") { bench.outbox() == [] } }
        #expect(!FileSystem.exists(bench.workspace.file("A.courier.txt")))
    }

    @Test func `one recording's deliveries do not wait for each other, and run as many at once as allowed`()
        async throws
    {
        bench.courier.hangs { _ in true }
        try await bench.run(#"{"type": "courier", "parallel": 5}"#, count: 2) { server in
            for number in 0..<5 { _ = try await server.record("N\(number)") }
            try await until("all of both run") { bench.courier.hanging == 10 }
            bench.courier.letGo()
            try await until("all are delivered") { bench.outbox() == [] }
        }
        #expect(bench.courier.parcels.count == 10)
    }

    @Test func `files of a stalled sink are delivered too`() async throws {
        let probe = Probe()
        let sink =
            #"{"type": "probe", "probe": "\#(probe.name)", "blocks": "finish", "finishLimit": 1, "stallLimit": 0.1}"#
        try await bench.run(sink: sink) { server in
            let recording = try await server.record("A")
            #expect(recording.sinks[0].files == [] && recording.sinks[0].state == .stalled)
            try await Task.sleep(for: .milliseconds(300))
            #expect(bench.courier.attempts == 0)
            probe.gate.open()
            _ = try await server.delivered(recording)
        }
        #expect(bench.courier.parcels.map { $0.files.count } == [1])
    }

    @Test func `a destination that is down is not tried with every recording`() async throws {
        bench.courier.fails { _ in true }
        try await bench.run(#"{"type": "courier", "parallel": 1}"#) { server in
            for number in 0..<40 { _ = try await server.record("N\(number)") }
            try await until("it has given up for a while") {
                server.recorder.deliverer.stations[0].state.withLock { $0.failures >= 3 }
            }
            try await Task.sleep(for: .milliseconds(300))
            #expect(bench.courier.attempts < 20, "\(bench.courier.attempts) attempts")
            bench.courier.fails { _ in false }
            try await until("all are delivered") { bench.outbox() == [] }
        }
        #expect(Set(bench.courier.parcels.map(\.name)).count == 40 && bench.outbox() == [])
    }

    @Test func `each wait is twice the last, up to the limit, and longer if the destination asks for it`() throws {
        let station = try #require(
            try bench.recorder(#"{"type": "courier", "retryLimit": 10}"#).deliverer.stations.first)
        var item = DeliveryQueue.Item(id: RecordingID(), recording: "A")
        #expect(station.add(item) && !station.add(item))
        var waits: [Duration] = []
        for _ in 0..<6 {
            let wait: Duration
            (item, wait) = station.fail(item, DeliveryError("closed"))
            waits.append(wait)
        }
        #expect(waits == [1, 2, 4, 8, 10, 10].map { .seconds($0) })
        #expect(station.fail(item, DeliveryError("closed", retryAfter: .seconds(3600))).wait == .seconds(3600))
        #expect(station.trouble?.reason == "closed")
    }

    @Test func `a recording that another server has just published waits, and an older one does not`() async throws {
        let recorder = try bench.recorder(#"{"type": "courier"}"#), station = recorder.deliverer.stations[0]
        for (age, isDue) in [(10.0, false), (61, true), (-5, false)] {
            let end = Date() - age
            var recording = Recording(
                id: RecordingID(), name: "A", call: CallFacts(carrier: "test"), format: .telephone, startedAt: end,
                ended: (end, "over"))
            recording.deliveries = [DeliveryEntry(type: "courier", name: "courier")]
            recorder.deliverer.add(recording, isOwn: false)
            let item = station.take(now: .now)
            #expect((item?.id == recording.id) == isDue, "\(age)")
            #expect(station.take(now: .now + .seconds(66)) != nil || isDue)
        }
    }

    @Test func `entries with mistakes are refused with their paths`() throws {
        func problems(_ text: String) throws -> [String] {
            var problems: [ConfigurationProblem] = []
            _ = DeliveryPlan.read(
                try JSONValue.parse(text), at: .root.key("deliveries"), registry: .couriers, problems: &problems)
            return problems.map(\.description)
        }
        #expect(try problems("{}") == ["deliveries: {} is not a list of deliveries such as [{\"type\": \"courier\"}]"])
        #expect(
            try problems(#"[{"type": "currier"}, {"parallel": 1}]"#) == [
                "deliveries[0].type: \"currier\" is not a known type; known types are courier; did you mean \"courier\"?",
                "deliveries[1].type: is missing; known types are courier",
            ])
        #expect(
            try problems(#"[{"type": "courier"}, {"type": "courier", "name": "Courier", "paralel": 2}]"#) == [
                "deliveries[1].paralel: unknown key; did you mean \"parallel\"?",
                "deliveries[1].name: \"Courier\" is already the name of another delivery",
            ])
        #expect(
            try problems(#"[{"type": "courier", "address": "nowhere"}]"#) == ["deliveries[0]: nobody lives nowhere"])
    }
}

/// A place that deliveries of a test go to.
final class CourierPlace: Sendable {
    private struct State {
        var parcels: [PublishedRecording] = []
        var attempts = 0
        var hanging = 0
        var fails: @Sendable (PublishedRecording) -> Bool = { _ in false }
        var hangs: @Sendable (PublishedRecording) -> Bool = { _ in false }
        var attaches: @Sendable (PublishedRecording) -> [DeliveryReceipt.Attachment] = { _ in [] }
    }

    let name = UUID().uuidString
    private let state = Mutex(State())
    private static let all = Mutex<[String: CourierPlace]>([:])

    static func named(_ name: String) -> CourierPlace { all.withLock { $0[name] } ?? CourierPlace() }

    init() { Self.all.withLock { $0[name] = self } }

    var parcels: [PublishedRecording] { state.withLock { $0.parcels } }
    var attempts: Int { state.withLock { $0.attempts } }
    var hanging: Int { state.withLock { $0.hanging } }
    func fails(_ rule: @escaping @Sendable (PublishedRecording) -> Bool) { state.withLock { $0.fails = rule } }
    func hangs(_ rule: @escaping @Sendable (PublishedRecording) -> Bool) { state.withLock { $0.hangs = rule } }
    func letGo() { hangs { _ in false } }
    func attaches(_ rule: @escaping @Sendable (PublishedRecording) -> [DeliveryReceipt.Attachment]) {
        state.withLock { $0.attaches = rule }
    }

    func take(_ recording: PublishedRecording) async throws(DeliveryError) -> DeliveryReceipt {
        state.withLock {
            $0.attempts += 1
            $0.hanging += 1
        }
        defer { state.withLock { $0.hanging -= 1 } }
        while state.withLock({ $0.hangs(recording) }) {
            do { try await Task.sleep(for: .milliseconds(2)) } catch {
                throw DeliveryError("it was cancelled", cause: error)
            }
        }
        if state.withLock({ $0.fails(recording) }) { throw DeliveryError("nobody at home") }
        return state.withLock { state in
            state.parcels.append(recording)
            return DeliveryReceipt(
                details: ["received": .integer(state.parcels.count)], attachments: state.attaches(recording))
        }
    }
}

/// A delivery to a place of the test.
struct Courier: Delivery {
    struct Options: Configurable {
        var address = ""

        static let fields: [Field<Self>] = [.string("address", \.address, "The name of the place.")]
    }

    static let type = "courier"
    static let summary = "brings recordings to a place of the test"

    private let place: CourierPlace

    static func refusal(options: Options) -> String? { options.address == "nowhere" ? "nobody lives nowhere" : nil }

    init(options: Options, context: DeliveryContext) { place = CourierPlace.named(options.address) }

    func deliver(_ recording: PublishedRecording) async throws(DeliveryError) -> DeliveryReceipt {
        try await place.take(recording)
    }
}

extension DeliveryRegistry {
    static let couriers = {
        var registry = DeliveryRegistry()
        registry.register(Courier.self)
        return registry
    }()
}

/// A recordings directory with a delivery, and the servers that use it one after the other.
final class DeliveryBench: Sendable {
    let workspace: Workspace
    let courier = CourierPlace()

    init() {
        guard let workspace = try? Workspace() else { preconditionFailure("no directory can be made") }
        self.workspace = workspace
    }

    /// A running recorder.
    struct Server: Sendable {
        let bench: DeliveryBench
        let recorder: Recorder

        /// Records a call, under its caller's name.
        func record(_ from: String) async throws -> Recording {
            let call = recorder.startCall(CallFacts(carrier: "test", from: from), format: .telephone)
            _ = call.session.receive(ramp(0..<800))
            call.session.end("over")
            return try await call.result.value.get()
        }

        /// Waits until a recording is delivered, and returns its entry.
        func delivered(_ recording: Recording) async throws -> DeliveryEntry {
            try await until("\(recording.name) is delivered") { try bench.entry(recording)?.state == .delivered }
            try await until("it has left the outbox") { !bench.outbox().contains(recording.id.description) }
            return try #require(try bench.entry(recording))
        }
    }

    func store() throws -> RecordingStore {
        RecordingStore(directory: workspace.path, template: try NameTemplate("{from}"))
    }

    func recorder(_ delivery: String, count: Int = 1, sink: String? = nil) throws -> Recorder {
        var problems: [ConfigurationProblem] = []
        let text = sink ?? #"{"type": "probe", "probe": "\#(Probe().name)"}"#
        let sinks = SinkPlan.read(
            .array([try JSONValue.parse(text)]), at: .root, registry: testRegistry, problems: &problems)
        guard case .object(var entry) = try JSONValue.parse(delivery) else { preconditionFailure(delivery) }
        entry["address"] = .string(courier.name)
        let plans = DeliveryPlan.read(
            .array(Array(repeating: .object(entry), count: count)), at: .root, registry: .couriers, problems: &problems)
        try #require(problems.isEmpty, "\(problems)")
        var settings = RecorderSettings(sinks: sinks)
        settings.deliveries = try plans.map { try $0.make(silentLogger) }
        return Recorder(
            store: try store(), settings: settings, registry: testRegistry, catalogue: RecordingIndex(),
            logger: silentLogger)
    }

    /// Runs a recorder for the time of the body.
    func run<Result: Sendable>(
        _ delivery: String = #"{"type": "courier"}"#, count: Int = 1, sink: String? = nil, runs: Bool = true,
        _ body: (Server) async throws -> Result
    ) async throws -> Result {
        let recorder = try recorder(delivery, count: count, sink: sink)
        try await recorder.prepare()
        let running = runs ? Task { await recorder.run() } : nil
        do {
            let result = try await body(Server(bench: self, recorder: recorder))
            running?.cancel()
            await running?.value
            return result
        } catch {
            running?.cancel()
            await running?.value
            throw error
        }
    }

    func manifest(_ recording: Recording) throws -> Recording { try store().manifest(named: recording.name) }

    func entry(_ recording: Recording) throws -> DeliveryEntry? { try manifest(recording).deliveries?.first }

    func note(_ recording: Recording) -> Outbox.Note? {
        (try? store()).flatMap { Outbox(store: $0).note(.init(id: recording.id, delivery: "courier")) }
    }

    /// The directories in the outbox.
    func outbox() -> [String] { FileSystem.names(in: RecordingLayout.outbox(in: workspace.path)) }
}
