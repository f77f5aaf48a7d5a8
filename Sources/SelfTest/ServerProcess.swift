import CallreelCore
import CallreelSimulator
import Foundation

/// An error of the self-test, such as an event that did not happen in time.
package struct SelfTestError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Polls every 50 ms until `find` returns a value, and throws after `seconds`.
///
/// The generous bound only makes sure that a run ends. It measures no speed.
func eventually<Value>(_ what: String, seconds: Int = 120, _ find: () async throws -> Value?) async throws -> Value {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if let value = try await find() { return value }
        try await Task.sleep(for: .milliseconds(50))
    }
    throw SelfTestError("\(what): not within \(seconds) seconds")
}

/// A real server: another process of this program, in its own directory, on a free port of loopback.
final class ServerProcess: Sendable {
    /// Settings for the start of a server.
    struct Settings: Sendable {
        /// The `sinks` of the configuration.
        var sinks: [JSONValue] = ["wav", "flac", "raw"].map { .object(["type": .string($0)]) }
        /// Other sections of the configuration.
        var sections: [String: JSONValue] = [:]
        /// A command to run before the server's own, which follows as its arguments.
        var wrapper: [String] = []
        /// The greatest size of one of the server's files, in bytes.
        var fileLimit: Int?
    }

    /// The server's working directory.
    let directory: String
    /// The page's address, without its last slash.
    let url: String
    let process: ChildProcess

    /// The path of this program.
    static let own = Bundle.main.executablePath ?? CommandLine.arguments.first ?? "callreel"
    /// The program under test: this one, unless the environment names another build.
    static let executable = ProcessInfo.processInfo.environment["CALLREEL_SELFTEST_PROGRAM"] ?? own

    /// Starts a server and waits until it reports that it is ready.
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
        try Data(JSONValue.object(configuration).json(pretty: true).utf8).write(
            to: URL(fileURLWithPath: directory + "/callreel.json"))
        var command =
            settings.wrapper + [
                Self.executable, "selftest-server", "--config", directory + "/callreel.json", "--port", "0", "--parent",
                "\(getpid())",
            ]
        if let limit = settings.fileLimit { command += ["--file-limit", "\(limit)"] }
        let number =
            (try? FileManager.default.contentsOfDirectory(atPath: directory))?.count { $0.hasSuffix(".err") } ?? 0
        let process = try ChildProcess(
            command[0], Array(command.dropFirst()), in: directory, log: "\(directory)/server\(number + 1)")
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

    /// Returns the live calls of `GET /api/calls`: frames received, by the caller's number.
    func liveCalls() async throws -> [String: Int] {
        let state = try JSONValue(parsing: Data(try await CallInstructions.text(at: url + "/api/calls").utf8))
        guard case .array(let live) = state["live"] else {
            throw SelfTestError("GET /api/calls returns no list of live calls")
        }
        return live.reduce(into: [:]) {
            $0[$1["from"]?.string ?? ""] = TestSignal.format.frames(seconds: $1["seconds"]?.double ?? 0)
        }
    }

    /// Returns the answer of `GET /readyz`: true if the server takes calls, and the text.
    func readiness() async throws -> (isReady: Bool, text: String) {
        do throws(CallerError) {
            return (true, try await CallInstructions.text(at: url + "/readyz"))
        } catch {
            guard error.description.contains("503") else { throw error }
            return (false, error.description)
        }
    }

    /// Returns one number of `GET /metrics` (Prometheus text format), of a sink or of all calls. Nil if it is missing.
    func metric(_ name: String, sink: String? = nil) async throws -> Int? {
        let text = try await CallInstructions.text(at: url + "/metrics")
        let line = text.split(separator: "\n").first { line in
            guard let sink else { return line.hasPrefix(name + " ") }
            return line.hasPrefix(name + "{") && line.contains("sink=\"\(sink)\"")
        }
        return line?.split(separator: " ").last.flatMap { Double($0) }.map { Int($0) }
    }

    /// Returns memory in bytes: the current use, and the most since the start. Nil if the system does not report it.
    func memory() -> (now: Int, most: Int)? {
        guard let status = try? String(contentsOfFile: "/proc/\(process.identifier)/status", encoding: .utf8) else {
            return nil
        }
        func value(_ name: String) -> Int? {
            status.split(separator: "\n").first { $0.hasPrefix(name + ":") }?.split(whereSeparator: \.isWhitespace)
                .dropFirst().first
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

    /// Waits until this many recordings are published, and returns all published recordings.
    func published(_ count: Int) async throws -> [PublishedCall] {
        try await eventually("\(count) published recordings in \(recordings)") {
            let calls = try PublishedCall.all(in: recordings)
            return calls.count >= count ? calls : nil
        }
    }
}
