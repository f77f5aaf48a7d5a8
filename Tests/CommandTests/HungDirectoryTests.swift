import CallreelCore
import Foundation
import TestSupport
import Testing

/// Tests of the program with a directory that never answers.
/// The directory is a FUSE file system without a server, in a mount namespace of the test's own.
@Suite(.enabled(if: geteuid() == 0 && FileManager.default.fileExists(atPath: "/dev/fuse")), .serialized)
struct HungDirectoryTests {
    /// A started program in a mount namespace of its own, where a directory can be made to hang.
    private struct Space {
        let directory: TemporaryDirectory
        let program: RunningProgram
        /// The directory that may hang.
        var network: String { directory.path + "/network" }

        /// Makes the namespace. The program waits there for ``begin()``.
        init(_ arguments: [String], configuration: String, in directory: TemporaryDirectory) throws {
            self.directory = directory
            try FileManager.default.createDirectory(
                atPath: directory.path + "/network", withIntermediateDirectories: true)
            try configuration.write(toFile: directory.path + "/callreel.json", atomically: true, encoding: .utf8)
            let script = "until [ -e go ]; do sleep 0.05; done; exec \"$0\" \"$@\""
            program = try Program("unshare").start(
                ["-m", "sh", "-c", script, Program.callreel.path] + arguments, in: directory.path)
        }

        /// Starts the program.
        func begin() throws { try Data().write(to: URL(fileURLWithPath: directory.path + "/go")) }

        /// Makes the directory hang until the returned program ends.
        func hang() async throws -> RunningProgram {
            // Until `unshare` has run, the program is in the test's own namespace.
            _ = try await eventually("a name space") {
                let spaces = try? ["self", "\(program.identifier)"].map {
                    try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/ns/mnt")
                }
                return spaces.map { $0[0] != $0[1] } == true ? true : nil
            }
            let hanging = try Program("nsenter").start([
                "-t", "\(program.identifier)", "-m", Program.callreel.path, "selftest-hang", network,
            ])
            _ = try await eventually("a directory that hangs") { hanging.text.contains("hangs") ? true : nil }
            return hanging
        }
    }

    private static let serve = ["serve", "--config", "callreel.json", "--port", "0"]

    private func configuration(_ directory: TemporaryDirectory) -> String {
        #"""
        {"recordings": {"directory": "recordings"}, "listen": {"drainTimeout": 0},
         "sinks": [{"type": "wav"}, {"type": "raw", "directory": "\#(directory.path)/network"}]}
        """#
    }

    private func curl(_ arguments: String...) async throws -> Program.Result {
        try await Program("curl").run(["-s", "--max-time", "20"] + arguments)
    }

    private func status(_ url: String) async throws -> String {
        try await curl("-o", "/dev/null", "-w", "%{http_code}", url).text
    }

    /// Writes the manifest or ledger of a call, with the files of its sinks.
    private func plant(
        _ id: RecordingID, _ path: String, name: String, state: String,
        sinks: [(type: String, directory: String?, bytes: Int)],
        in directory: TemporaryDirectory
    ) throws {
        var entries: [JSONValue] = []
        for sink in sinks {
            var file: [String: JSONValue] = ["name": .string("\(name).\(sink.type)"), "bytes": .integer(sink.bytes)]
            if state != "recording" { file["sha256"] = "not looked at" }
            var entry: [String: JSONValue] = [
                "type": .string(sink.type), "name": .string(sink.type), "state": .string(state),
                "written": .integer(sink.bytes / 2), "silence": 0,
                "lost": 0,
            ]
            if let root = sink.directory {
                file["directory"] = .string(root)
                entry["directories"] = .array([.string(root)])
            }
            entry["files"] = .array([.object(file)])
            entries.append(.object(entry))
            let place =
                sink.directory.map { state == "recording" ? "\($0)/.partial/\(id)" : $0 }
                ?? (directory.path + "/" + path.parentPath)
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
            try Data(repeating: 1, count: sink.bytes).write(to: URL(fileURLWithPath: "\(place)/\(name).\(sink.type)"))
        }
        let manifest = """
            {"version": 1, "id": "\(id)", "name": "\(name)", "call": {"carrier": "test", "headers": {}}, "format": {"sampleRate": 16000, "channels": 1},
             "startedAt": "2026-11-22T10:15:00.250Z", \(state == "recording" ? "" : #""endedAt": "2026-11-22T10:15:01.250Z", "endReason": "over","#)
             "framesReceived": 100, "leftoverBytes": 0, "malformedMessages": 0, "droppedEvents": 0, "events": [],
             "sinks": \(JSONValue.array(entries).json())}
            """
        try manifest.write(toFile: directory.path + "/" + path, atomically: true, encoding: .utf8)
    }

    @Test func `a server starts while the directory of an optional sink hangs, and ends at one signal`() async throws {
        let directory = TemporaryDirectory()
        let space = try Space(Self.serve, configuration: configuration(directory), in: directory)
        let hanging = try await space.hang()
        defer { hanging.signal(SIGKILL) }
        try space.begin()
        let url = try await space.program.page()
        #expect(try await status(url + "/healthz") == "200")
        #expect(try await status(url + "/readyz") == "200")
        #expect(try await status(url + "/api/calls") == "200")
        space.program.signal(SIGTERM)
        _ = try await eventually("the end of the server") { kill(space.program.identifier, 0) != 0 ? true : nil }
        #expect(try await space.program.result().status == 0)
    }

    @Test func `a configuration is checked while a directory hangs, and the directory is named`() async throws {
        let directory = TemporaryDirectory()
        let space = try Space(
            ["config", "check", "callreel.json"], configuration: configuration(directory), in: directory)
        let hanging = try await space.hang()
        defer { hanging.signal(SIGKILL) }
        try space.begin()
        _ = try await eventually("the end of the check") { kill(space.program.identifier, 0) != 0 ? true : nil }
        let result = try await space.program.result()
        #expect(result.status == 1)
        #expect(
            result.errors.contains("sinks[1].directory: \"\(space.network)\" does not answer\n1 mistake"),
            "\(result.errors)")
    }

    @Test func `files on a disk that hangs are refused, and those beside it are served`() async throws {
        let directory = TemporaryDirectory()
        let id = RecordingID()
        let files = [("wav", nil, 4000), ("raw", directory.path + "/network", 200)] as [(String, String?, Int)]
        try FileManager.default.createDirectory(
            atPath: directory.path + "/recordings", withIntermediateDirectories: true)
        try plant(id, "recordings/old.json", name: "old", state: "complete", sinks: files, in: directory)
        let space = try Space(Self.serve, configuration: configuration(directory), in: directory)
        try space.begin()
        let url = try await space.program.page()
        let good = "\(url)/api/recordings/\(id)/files/wav/old.wav",
            bad = "\(url)/api/recordings/\(id)/files/raw/old.raw"
        _ = try await eventually("a listed recording") { try await status(good) == "200" ? true : nil }
        #expect(try await status(bad) == "200")
        let hanging = try await space.hang()
        defer { hanging.signal(SIGKILL) }
        // These are more requests at once than there are reader threads, before Callreel knows of the hang.
        let waiting = try (0..<16).map { _ in
            try Program("curl").start(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "60", bad])
        }
        try await Task.sleep(for: .milliseconds(500))
        #expect(try await curl(good).output.count == 4000)
        #expect(try await status("\(url)/api/recordings/\(id)/manifest") == "200")
        for client in waiting { #expect(try await client.result().text == "503") }
        #expect(try await status(bad) == "503")
        #expect(try await curl(good).output.count == 4000)
        hanging.signal(SIGKILL)
    }

    @Test func `an interrupted call whose disk hangs waits and is named, and holds up no other one`() async throws {
        let directory = TemporaryDirectory()
        let ids = [RecordingID(), RecordingID(), RecordingID()].sorted { "\($0)" < "\($1)" }, far = ids[0],
            near = ids[1], old = ids[2]
        let network = directory.path + "/network"
        for path in [".partial/\(far)", ".partial/\(near)"] {
            try FileManager.default.createDirectory(
                atPath: directory.path + "/recordings/" + path, withIntermediateDirectories: true)
        }
        try plant(old, "recordings/old.json", name: "old", state: "complete", sinks: [("raw", nil, 200)], in: directory)
        try plant(
            near, "recordings/.partial/\(near)/near.json", name: "near", state: "recording", sinks: [("raw", nil, 200)],
            in: directory)
        let files = [("wav", nil, 0), ("raw", network, 200)] as [(String, String?, Int)]
        try plant(
            far, "recordings/.partial/\(far)/far.json", name: "far", state: "recording", sinks: files, in: directory)
        // The sink with this directory is no longer configured.
        let space = try Space(Self.serve, configuration: RunningServer.configuration, in: directory)
        let hanging = try await space.hang()
        defer { hanging.signal(SIGKILL) }
        try space.begin()
        let url = try await space.program.page()
        _ = try await eventually("the other recordings in the list") { () -> Bool? in
            try await Task.sleep(for: .milliseconds(450))
            guard
                case .array(let list) = try JSONValue(parsing: try await curl(url + "/api/calls").output)["recordings"]
            else { return nil }
            return Set(list.compactMap { $0["id"]?.string }) == ["\(near)", "\(old)"] ? true : nil
        }
        _ = try await eventually("a warning") {
            try await Task.sleep(for: .milliseconds(450))
            return try await curl(url + "/readyz").text.contains("1 interrupted call could not be finished")
                ? true : nil
        }
        #expect(
            space.program.errors.components(separatedBy: "\(network) does not answer").count == 2,
            "\(space.program.errors)")
        #expect(directory.files(in: "recordings").contains(".partial/\(far)/far.json"))
        space.program.signal(SIGTERM)
        _ = try await eventually("the end of the server") { kill(space.program.identifier, 0) != 0 ? true : nil }
        #expect(try await space.program.result().status == 0)
    }
}
