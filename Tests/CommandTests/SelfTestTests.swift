import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct SelfTestTests {
    private func selftest(_ arguments: String...) async throws -> Program.Result {
        try await Program.callreel.run(["selftest"] + arguments)
    }

    /// Returns the table's lines that report a failure.
    private func failures(_ result: Program.Result) -> [Substring] {
        result.text.split(separator: "\n").filter { $0.hasSuffix("  FAILED") }
    }

    /// Returns the number of servers with their configuration under a directory.
    private func servers(in directory: String) -> Int {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.count { process in
            let command = (try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)) ?? ""
            return command.contains("selftest-server") && command.contains(directory)
        }
    }

    @Test func `the short self-test finds nothing wrong, and leaves nothing behind`() async throws {
        let directory = TemporaryDirectory()
        // Without the device no file system can hang, and the scenario would report that.
        let canHang = FileManager.default.fileExists(atPath: "/dev/fuse")
        let result = try await Program.callreel.run(
            ["selftest", "--quick", "--directory", directory.path] + (canHang ? [] : ["--skip", "hung"]))
        #expect(result.status == 0, "\(result.text)")
        let scenarios =
            [
                "kill", "recovery", "stall", "fill", "flood", "endings", "names", "slow", "given-up", "programs",
                "retry", "rehearsal",
                "unmounted",
            ] + (canHang ? ["hung"] : [])
        for scenario in scenarios {
            #expect(result.text.contains("\n\(scenario) "), "\(result.text)")
        }
        #expect(failures(result).isEmpty)
        #expect(directory.files().isEmpty)
    }

    @Test(arguments: [
        // A call of which a sink keeps no audio leaves no file there.
        ("drop", "names", ["names raw", "names the directory"]),
        ("cut", "names", ["names wav", "names the directory"]),
        ("lie", "names", ["names wav", "names the directory"]),
        ("stale-total", "kill", ["kill flac, as it is"]),
    ])
    func `a planted fault is found, in the row that it is in`(fault: String, scenario: String, rows: [String])
        async throws
    {
        let result = try await selftest("--quick", "--only", scenario, "--plant", fault)
        #expect(result.status == 1)
        let found = failures(result).map { line in
            let cells = line.components(separatedBy: "  ").filter { !$0.isEmpty }.map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            return cells.prefix(2).joined(separator: " ")
        }
        for row in rows { #expect(found.contains(row), "\(result.text)") }
        // And no other row: intact files are not called damaged.
        for row in found { #expect(rows.contains(row), "\(result.text)") }
    }

    @Test func `no server outlives a self-test that is killed`() async throws {
        let directory = TemporaryDirectory()
        let running = try Program.callreel.start([
            "selftest", "--quick", "--only", "kill", "--directory", directory.path,
        ])
        _ = try await eventually("a server") { servers(in: directory.path) == 1 ? true : nil }
        running.signal(SIGKILL)
        _ = try await running.result()
        _ = try await eventually("no server") { servers(in: directory.path) == 0 ? true : nil }
    }

    @Test func `files that nobody else can judge are a failure, unless that is asked for`() async throws {
        // This path holds no program.
        let alone = ["PATH": "/nowhere"]
        let arguments = ["selftest", "--quick", "--only", "recovery"]
        let result = try await Program.callreel.run(arguments, environment: alone)
        #expect(result.status == 1 && result.text.contains("not judged"), "\(result.text)")
        #expect(failures(result).count == 2, "\(result.text)")
        let asked = try await Program.callreel.run(arguments + ["--unjudged"], environment: alone)
        #expect(asked.status == 0, "\(asked.text)")
    }

    @Test func `what makes no sense is refused by name`() async throws {
        let unknown = try await selftest("--only", "nothing")
        #expect(
            unknown.status == 64 && unknown.errors.contains("nothing") && unknown.errors.contains("endings"),
            "\(unknown.errors)")
        let idle = try await selftest("--only", "names", "--plant", "stale-total")
        #expect(idle.status == 64 && idle.errors.contains("--only kill"), "\(idle.errors)")
    }
}
