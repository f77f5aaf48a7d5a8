import CallreelCore
import CallreelDeliveries
import CallreelSinks
import Foundation
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import CallreelCarriers
@testable import CallreelServer

/// A real server on a free loopback port, with its recordings in its own directory.
struct TestServer: Sendable {
    let directory: TemporaryDirectory
    let address: CallreelService.Address
    /// Makes the calls' tokens, like the answer webhook; nil if calls need none.
    let tokens: CallTokens?
    /// What `/metrics` shows, read without a connection: a test's limits hold its own connections up too.
    let metrics: @Sendable () -> String
    /// Tells the server to end, as a signal does.
    let shutDown: @Sendable () async -> Void

    /// The recordings directory.
    var recordings: String { directory.path + "/recordings" }
    /// The server's address for HTTP.
    var http: String { "http://127.0.0.1:\(address.port)" }
    /// The same over TLS.
    var https: String { "https://127.0.0.1:\(address.port)" }
    /// An address for one call, with a token for any call.
    var cable: String { "ws://127.0.0.1:\(address.port)\(target)" }
    /// The address of calls, without a token.
    var endpoint: String { "ws://127.0.0.1:\(address.port)/cable" }
    /// The request target for one call, with a token for any call.
    var target: String { "/cable" + (tokens.map { "?\(CallTokens.parameter)=\($0.issue(for: nil))" } ?? "") }

    /// The address of the echo.
    var echo: String { "ws://127.0.0.1:\(address.port)/echo" }

    /// The three formats of the default configuration.
    static let allSinks = #"[{"type": "wav"}, {"type": "flac"}, {"type": "raw"}]"#

    /// Calls go straight to the WebSocket, for clients with many calls under one address.
    static let trusting = #"{"requireToken": false}"#

    /// Runs a server for the time of the body.
    /// - Parameters:
    ///   - listen: further keys of `listen`, each with a comma before it.
    ///   - carriers: the list of carriers, in place of `vonage`, and the types for it.
    ///   - more: further sections, likewise.
    static func run<Result: Sendable>(
        sinks: String = allSinks, registry: SinkRegistry = .builtIn, listen: String = "", vonage: String = "{}",
        carriers: (list: String, registry: CarrierRegistry)? = nil, more: String = "",
        echoPath: String? = "/echo", in directory: TemporaryDirectory = TemporaryDirectory(), logger: Logger = quiet,
        _ body: @Sendable (TestServer) async throws -> Result
    ) async throws -> Result {
        let recordings =
            more.contains("\"recordings\"") ? "" : #""recordings": {"directory": "\#(directory.path)/recordings"}, "#
        // The server would wait for answered callers that never come.
        let drain = listen.contains("\"drainTimeout\"") ? "" : #", "drainTimeout": 0"#
        let calls = carriers.map { "\"carriers\": \($0.list)" } ?? "\"vonage\": \(vonage)"
        let text = """
            {"listen": {"port": 0\(drain)\(listen)}, \(recordings)\(calls), "sinks": \(sinks)\(more)}
            """
        var problems: [ConfigurationProblem] = []
        let configuration = Configuration(
            try JSONValue(parsing: Data(text.utf8)),
            plugins: Plugins(sinks: registry, carriers: carriers?.registry ?? .builtIn, deliveries: .builtIn),
            environment: [:], problems: &problems)
        if let problem = problems.first { throw problem }
        let (addresses, announce) = AsyncStream<CallreelService.Address>.makeStream()
        let service = try CallreelService(configuration: configuration, logger: logger, echoPath: echoPath) {
            address, _ in
            announce.yield(address)
            announce.finish()
        }
        let group = ServiceGroup(configuration: .init(services: [service], logger: quiet))
        async let running: Void = group.run()
        guard let address = await addresses.first(where: { _ in true }) else {
            throw NeverHappened(description: "the server's start")
        }
        let outcome: Swift.Result<Result, any Error>
        do {
            let server = TestServer(
                directory: directory, address: address, tokens: service.door.carriers.first?.tokens,
                metrics: { service.metrics.text() },
                shutDown: { await group.triggerGracefulShutdown() })
            outcome = .success(try await body(server))
        } catch {
            outcome = .failure(error)
        }
        await group.triggerGracefulShutdown()
        try await running
        return try outcome.get()
    }

    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Returns the count of a reason for refusals.
    func refusals(_ reason: String) throws -> Int {
        let name = "callreel_refused_total{reason=\"\(reason)\"}"
        let line = metrics().split(separator: "\n").first { $0.hasPrefix(name) }
        return try #require(line.flatMap { Int($0.split(separator: " ")[1]) }, "\(reason)")
    }

    /// Waits for this number of finished recordings, and returns them.
    func finished(_ count: Int = 1) async throws -> [Recording] {
        try await eventually("\(count) finished recordings") {
            let manifests = directory.files(in: "recordings").filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }
            guard manifests.count >= count else { return nil }
            return try manifests.map { try Self.recording(recordings + "/" + $0) }
        }
    }

    /// Reads a published manifest, and expects it to keep the promise of its schema.
    private static func recording(_ path: String) throws -> Recording {
        let data = try Data(contentsOf: URL(fileURLWithPath: path)), problems = try ManifestSchema.problems(data)
        #expect(problems.isEmpty, "\(path)")
        return try Recording(json: data)
    }

    /// Enlarges a recorded call's file with zeros, and returns the target of a request for it.
    func largeFile(_ bytes: Int) async throws -> String {
        let call = PythonCall.handshake(16000, #", "uuid": "large""#)
        _ = try await PythonCall(cable, pcm: Speech.path, ["handshake": .string(call)]).place()
        let recording = try await eventually("the large call") {
            try await finished().first { $0.call.uuid == "large" }
        }
        guard let name = recording.sinks.first?.files.first?.name else {
            throw NeverHappened(description: "a file in \(recording.name)")
        }
        try Data(count: bytes).write(to: URL(fileURLWithPath: recordings + "/" + name))
        // The recording is listed a moment after its manifest is published.
        _ = try await eventually("the large file") {
            let status = try await Program("curl").run([
                "-s", "-o", "/dev/null", "-w", "%{http_code}", "-I", http + "/recordings/" + name,
            ]).text
            return status == "200" ? true : nil
        }
        return "/recordings/" + name
    }

    /// Returns the path of a sink's file.
    func file(_ type: String, of recording: Recording) throws -> String {
        guard let file = recording.sinks.first(where: { $0.type == type })?.files.first else {
            throw NeverHappened(description: "a file of \(type) in \(recording.name)")
        }
        return recordings + "/" + file.name
    }
}

/// A call from an independent client.
struct PythonCall: Sendable {
    /// The end of a connection, as the client saw it.
    struct Ending: Decodable, Sendable {
        var code: Int?
        var reason: String?
        var status: Int?
    }

    var job: [String: JSONValue]

    /// Describes a call with the PCM of a file.
    init(_ url: String, pcm: String? = nil, rate: Int = 16000, _ more: [String: JSONValue] = [:]) {
        job = ["url": .string(url), "rate": .integer(rate), "handshake": .string(Self.handshake(rate))]
        if let pcm { job["pcm"] = .string(pcm) }
        job.merge(more) { _, new in new }
    }

    /// Returns the first message of a call.
    static func handshake(_ rate: Int, _ more: String = "") -> String {
        #"{"event": "websocket:connected", "content-type": "audio/l16;rate=\#(rate)"\#(more)}"#
    }

    /// Places the call and waits for its end.
    func place() async throws -> [Ending] {
        let output = try await Program("python3").output([
            Speech.fixture("vonage_client.py"), JSONValue.object(job).json(),
        ])
        return try JSONDecoder().decode([Ending].self, from: output)
    }

    /// Places the call and leaves it running. The program prints "ready" when everything was sent.
    func start() async throws -> RunningProgram {
        let program = try Program("python3").start([Speech.fixture("vonage_client.py"), JSONValue.object(job).json()])
        _ = try await eventually("a call that is up") { program.text.contains("ready") ? true : nil }
        return program
    }
}
