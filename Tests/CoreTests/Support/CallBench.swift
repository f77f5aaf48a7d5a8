import Foundation
import Logging
import Synchronization
import Testing

@testable import CallreelCore

/// A recorder in a directory of its own, with probes as its sinks, and a call that runs.
final class CallBench: Sendable {
    let workspace: Workspace
    let recorder: Recorder
    let session: CallSession
    let log = Collected<String>()
    let everything = Collected<String>()
    /// How often room was announced.
    let announcements = Collected<Void>()
    private let pushed = Mutex(0)
    private let recording: Task<Result<Recording, RecordingError>, Never>

    /// Starts a call. Each sink is JSON text of an entry, in which `PROBE` stands for the probe of the same place.
    init(
        _ sinks: [(Probe, String)], call: CallFacts = CallFacts(carrier: "test", from: "1", uuid: "U"), format: AudioFormat = .telephone,
        template: String = "call", registry: SinkRegistry = testRegistry, pauseGuard: Double = 0, onDrain: (@Sendable () -> Void)? = nil
    ) throws {
        workspace = try Workspace()
        let entries = try sinks.map { probe, text in
            guard case .object(var members) = try JSONValue.parse(text) else { throw RecordingError("not an entry: \(text)") }
            members["type"] = members["type"] ?? "probe"
            if members["type"] == "probe" { members["probe"] = .string(probe.name) }
            return JSONValue.object(members)
        }
        var problems: [ConfigurationProblem] = []
        let plans = SinkPlan.read(.array(entries), at: .root, registry: registry, problems: &problems)
        try #require(problems.isEmpty, "\(problems)")
        let store = RecordingStore(directory: workspace.path, template: try NameTemplate(template))
        try store.prepare()
        recorder = Recorder(
            store: store, plans: plans, registry: registry, pauseGuard: pauseGuard,
            logger: Logger(label: "test") { [log, everything] _ in
                LogBook(entries: log, everything: everything)
            }
        )
        let session = recorder.startCall(call, format: format, onRoom: { [announcements] in announcements.append(()) }, onDrain: onDrain)
        self.session = session
        recording = Task { [recorder] in await recorder.record(session) }
    }

    /// Adds the next so many frames of the ramp, and says whether there is room for more.
    @discardableResult
    func receive(_ frames: Int) -> Bool {
        let start = pushed.withLock { pushed in
            defer { pushed += frames }
            return pushed
        }
        let channels = session.format.channels
        return session.receive(ramp(start * channels..<(start + frames) * channels))
    }

    /// The recording as it was published.
    func published() async throws -> Recording { try await recording.value.get() }

    func result() async -> Result<Recording, RecordingError> { await recording.value }

    /// Ends the call and waits for its recording.
    func end(_ reason: String = "over") async throws -> Recording {
        session.end(reason)
        return try await published()
    }

    /// Stops waiting for the recording's task, as a server that is told to stop at once.
    func cancel() { recording.cancel() }

    /// How a sink is doing.
    func state(_ index: Int) -> CallSession.SinkStatus.State { session.snapshot.sinks[index].state }

    /// What a sink's published file holds.
    func samples(_ file: Recording.File) throws -> [Int16] {
        var assembler = LinearPCMAssembler(format: session.format)
        assembler.append(try workspace.data(file.name).bytes)
        return assembler.takeSamples() ?? []
    }

    /// The manifest on disk while the call runs.
    func partialManifest() throws -> Recording {
        try Recording(manifest: try workspace.data(".partial/\(session.id)/call.json"))
    }
}

/// Every frame of the call is in exactly one of a sink's counts.
func expectClosedAccounts(_ recording: Recording, sourceLocation: SourceLocation = #_sourceLocation) {
    for sink in recording.sinks {
        #expect(sink.accounted == recording.framesReceived, "\(sink.name)", sourceLocation: sourceLocation)
        #expect(sink.lost >= 0, sourceLocation: sourceLocation)
        if sink.state == .complete { #expect(sink.lost == 0, "\(sink.name)", sourceLocation: sourceLocation) }
    }
}
