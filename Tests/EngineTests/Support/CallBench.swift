import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// A recorder in its own directory, with probes as its sinks, and a running call.
final class CallBench: Sendable {
    let workspace: Workspace
    let recorder: Recorder
    let session: CallSession
    let log = Collected<String>()
    let everything = Collected<String>()
    /// One element for each announcement of free space.
    let announcements = Collected<Void>()
    private let pushed = Mutex(0)
    private let recording: Task<Result<Recording, DiskError>, Never>

    /// Starts a call. Each sink is a JSON entry, in which `PROBE` stands for the probe of the same place.
    init(
        _ sinks: [(Probe, String)], call: CallFacts = CallFacts(carrier: "test", from: "1", uuid: "U"),
        format: AudioFormat = .telephone,
        template: String = "call", registry: SinkRegistry = testRegistry, filters: FilterRegistry = FilterRegistry(),
        pauseGuard: Double = 0,
        onDrain: (@Sendable () -> Void)? = nil
    ) throws {
        workspace = try Workspace()
        let entries = try sinks.map { probe, text in
            guard case .object(var members) = try JSONValue.parse(text) else {
                throw DiskError("not an entry: \(text)")
            }
            members["type"] = members["type"] ?? "probe"
            if members["type"] == "probe" { members["probe"] = .string(probe.name) }
            return JSONValue.object(members)
        }
        var problems: [ConfigurationProblem] = []
        let plans = SinkPlan.read(.array(entries), at: .root, registry: registry, filters: filters, problems: &problems)
        try #require(problems.isEmpty, "\(problems)")
        let store = RecordingStore(directory: workspace.path, template: try NameTemplate(template))
        try store.prepare()
        recorder = Recorder(
            store: store, settings: RecorderSettings(sinks: plans, pauseGuard: pauseGuard), registry: registry,
            catalogue: RecordingIndex(),
            logger: Logger(label: "test") { [log, everything] _ in
                LogBook(entries: log, everything: everything)
            }
        )
        let running = recorder.begin(
            CallStart(call, format: format),
            source: TestSource(onRoom: { [announcements] in announcements.append(()) }, onDrain: onDrain))
        session = running.session
        recording = running.result
    }

    /// Adds the next frames of the ramp. Returns true if there is space for more.
    @discardableResult
    func receive(_ frames: Int) -> Bool {
        let start = pushed.withLock { pushed in
            defer { pushed += frames }
            return pushed
        }
        let channels = session.format.channels
        return session.receive(ramp(start * channels..<(start + frames) * channels))
    }

    /// Waits for the published recording.
    func published() async throws -> Recording {
        let published = try await recording.value.get()
        try workspace.expectManifest(published)
        return published
    }

    func result() async -> Result<Recording, DiskError> { await recording.value }

    /// Ends the call and waits for its recording.
    func end(_ reason: String = "over") async throws -> Recording {
        session.end(reason)
        return try await published()
    }

    /// Returns the state of a sink.
    func state(_ index: Int) -> SinkStatus.State { session.snapshot.sinks[index].state }

    /// Returns the samples in a sink's published file.
    func samples(_ file: Recording.File) throws -> [Int16] {
        var assembler = LinearPCMAssembler(format: session.format)
        assembler.append(try workspace.data(file.name).bytes)
        return assembler.takeSamples() ?? []
    }

    /// Reads the ledger on disk while the call runs.
    func partialLedger() throws -> CallLedger {
        try CallLedger(json: try workspace.data(".partial/\(session.id)/call.json"))
    }
}

/// Expects every frame of the call in exactly one of a sink's counts.
func expectClosedAccounts(_ recording: Recording, sourceLocation: SourceLocation = #_sourceLocation) {
    for sink in recording.sinks {
        #expect(sink.accounted == recording.framesReceived, "\(sink.name)", sourceLocation: sourceLocation)
        #expect(sink.lost >= 0, sourceLocation: sourceLocation)
        if sink.state == .complete { #expect(sink.lost == 0, "\(sink.name)", sourceLocation: sourceLocation) }
    }
}
