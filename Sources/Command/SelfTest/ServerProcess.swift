import CallreelCore
import CallreelServer
import Foundation

/// Something that the self-test waited for and that did not come.
struct SelfTestError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Waits until a value is there. The bound is generous: it is there so that a run ends, not to measure.
func eventually<Value>(_ what: String, seconds: Int = 120, _ find: () async throws -> Value?) async throws -> Value {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if let value = try await find() { return value }
        try await Task.sleep(for: .milliseconds(50))
    }
    throw SelfTestError("\(what): not within \(seconds) seconds")
}

/// A real server: this very program as another process, in a directory of its own, on a free port of loopback.
final class ServerProcess: Sendable {
    /// What a server is started with.
    struct Settings: Sendable {
        /// The `sinks` of the configuration.
        var sinks: [JSONValue] = ["wav", "flac", "raw"].map { .object(["type": .string($0)]) }
        /// Other sections of the configuration.
        var sections: [String: JSONValue] = [:]
        /// A command in front of the server's own, which it takes as its arguments.
        var wrapper: [String] = []
        /// Bytes that a file of the server may have.
        var fileLimit: Int?
    }

    /// Where the server keeps everything.
    let directory: String
    /// The page's address, without its last slash.
    let url: String
    let process: ChildProcess

    /// This program.
    static let own = Bundle.main.executablePath ?? ProgramArguments.path
    /// The program that is tested: this one, unless the environment names another build.
    static let executable = ProcessInfo.processInfo.environment["CALLREEL_SELFTEST_PROGRAM"] ?? own

    /// Starts a server and waits until it says that it is ready.
    init(in directory: String, _ settings: Settings = Settings(), fault: Fault? = nil) async throws {
        self.directory = directory
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let sinks = settings.sinks.map { sink -> JSONValue in
            guard fault == .drop, sink["type"] == "raw", case .object(var members) = sink else { return sink }
            members["type"] = .string(DroppingSink.type)
            if members["name"] == nil { members["name"] = "raw" }
            return .object(members)
        }
        var configuration: [String: JSONValue] = [
            "recordings": .object(["directory": "recordings"]), "sinks": .array(sinks),
            // On loopback, for the time of a scenario: calls go straight to the WebSocket.
            "vonage": .object(["requireToken": false]),
        ]
        configuration.merge(settings.sections) { _, given in given }
        try Data(JSONValue.object(configuration).json(pretty: true).utf8).write(to: URL(fileURLWithPath: directory + "/callreel.json"))
        var command =
            settings.wrapper + [
                Self.executable, "selftest-server", "--config", directory + "/callreel.json", "--port", "0", "--parent", "\(getpid())",
            ]
        if let limit = settings.fileLimit { command += ["--file-limit", "\(limit)"] }
        let number = (try? FileManager.default.contentsOfDirectory(atPath: directory))?.count { $0.hasSuffix(".err") } ?? 0
        let process = try ChildProcess(command[0], Array(command.dropFirst()), in: directory, log: "\(directory)/server\(number + 1)")
        self.process = process
        let mark = "Callreel is ready: "
        url = try await eventually("a server that says \"\(mark)\"") {
            if let line = process.text.split(separator: "\n").first(where: { $0.hasPrefix(mark) }) {
                return String(line.dropFirst(mark.count).dropLast())
            }
            guard process.isRunning else { throw SelfTestError("the server did not start: \(process.errors)") }
            return nil
        }
    }

    /// The recordings directory.
    var recordings: String { directory + "/recordings" }

    /// What runs, as `GET /api/calls` says it: frames received, by the caller's number.
    func liveCalls() async throws -> [String: Int] {
        let state = try JSONValue(parsing: Data(try await CallInstructions.text(at: url + "/api/calls").utf8))
        guard case .array(let live) = state["live"] else { throw SelfTestError("GET /api/calls has no list of live calls") }
        return live.reduce(into: [:]) { $0[$1["from"]?.string ?? ""] = TestSignal.format.frames(seconds: $1["seconds"]?.double ?? 0) }
    }

    /// Whether `GET /readyz` says that calls are taken, and what it says.
    func readiness() async throws -> (isReady: Bool, text: String) {
        do throws(CallerError) {
            return (true, try await CallInstructions.text(at: url + "/readyz"))
        } catch {
            guard error.description.contains("503") else { throw error }
            return (false, error.description)
        }
    }

    /// One number of `GET /metrics`, in Prometheus' text format: of a sink, or of all calls; nil when it is not there.
    func metric(_ name: String, sink: String? = nil) async throws -> Int? {
        let text = try await CallInstructions.text(at: url + "/metrics")
        let line = text.split(separator: "\n").first { line in
            guard let sink else { return line.hasPrefix(name + " ") }
            return line.hasPrefix(name + "{") && line.contains("sink=\"\(sink)\"")
        }
        return line?.split(separator: " ").last.flatMap { Double($0) }.map { Int($0) }
    }

    /// Memory in bytes: in use now, and at the most since the start. Nil where the system does not say.
    func memory() -> (now: Int, most: Int)? {
        guard let status = try? String(contentsOfFile: "/proc/\(process.identifier)/status", encoding: .utf8) else { return nil }
        func value(_ name: String) -> Int? {
            status.split(separator: "\n").first { $0.hasPrefix(name + ":") }?.split(whereSeparator: \.isWhitespace).dropFirst().first
                .flatMap { Int($0) }.map { $0 * 1024 }
        }
        guard let now = value("VmRSS"), let most = value("VmHWM") else { return nil }
        return (now, most)
    }

    /// Stops the server as an operator would, and returns its exit status.
    func stop(_ signal: Int32 = SIGTERM) async throws -> Int32 {
        process.signal(signal)
        return try await process.result().status
    }

    /// Waits until so many recordings are published, and returns all there are.
    func published(_ count: Int) async throws -> [PublishedCall] {
        try await eventually("\(count) published recordings in \(recordings)") {
            let calls = try PublishedCall.all(in: recordings)
            return calls.count >= count ? calls : nil
        }
    }
}
