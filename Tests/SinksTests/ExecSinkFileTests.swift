import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelSinks

/// Once a program is over, no process left by it writes to its file.
extension ExecSinkTests {
    @Test func `what still writes when the program has ended is waited for`() async throws {
        let workspace = try Workspace()
        let script = #"cat > "$1"; (exec 3>> "$1"; sleep 0.7; echo done >&3) & sleep 0.2"#
        let command = options(["sh", "-c", script, "sh", "{output}"]) { ($0.input, $0.extension) = (.pcm, "txt") }
        let receipt = try await record(ExecSink.self, [0x4141], workspace.context(format), options: command)
        #expect(receipt.details["status"] == 0)
        #expect(String(decoding: try contents(workspace.file("call.txt")), as: UTF8.self) == "AAdone\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: workspace.path) == ["call.txt"])
    }

    @Test(arguments: [
        // The process has left the process group, and writes to its open file.
        #"cat > "$1"; setsid sh -c 'exec 3>> "$1"; echo $$ > "$2"; while :; do echo late >&3; sleep 0.02; done' sh "$1" "$2" & sleep 0.2"#,
        // The same through mapped memory.
        #"cat > "$1"; setsid python3 -c '\#(ExecSinkTests.mapper)' "$1" "$2" & while ! test -s "$2"; do sleep 0.05; done"#,
    ])
    func `what cannot be ended changes nothing any more, and the sink has failed`(script: String) async throws {
        let workspace = try Workspace(), pid = workspace.file("pid")
        let command = options(["sh", "-c", script, "sh", "{output}", pid]) {
            ($0.input, $0.extension, $0.deadline) = (.pcm, "txt", 5)
        }
        let error = await #expect(throws: SinkError.self) {
            _ = try await record(
                ExecSink.self, [Int16](repeating: 0x4141, count: 4000), workspace.context(format), options: command)
        }
        #expect(error?.description.contains("left a process running that had") == true, "\(error)")
        let id = try #require(pid_t(String(contentsOfFile: pid, encoding: .utf8).trimmingCharacters(in: .newlines)))
        let before = try contents(workspace.file("call.txt"))
        #expect(before.count >= 8000)
        try await Task.sleep(for: .milliseconds(300))
        #expect(kill(id, 0) == 0, "it should still be there, and write")
        #expect(try contents(workspace.file("call.txt")) == before)
        kill(id, SIGKILL)
        #expect(try FileManager.default.contentsOfDirectory(atPath: workspace.path).sorted() == ["call.txt", "pid"])
    }

    /// A process with a file open for reading can open it again for writing.
    @Test func `a process that reads the file when its program ends gets another one`() async throws {
        let workspace = try Workspace(), pid = workspace.file("pid")
        let reader = #"exec 3< "$1"; echo $$ > "$2"; sleep 0.6; echo late >> /proc/self/fd/3; sleep 30"#
        let script = #"cat > "$1"; setsid sh -c '\#(reader)' sh "$1" "$2" & while ! test -s "$2"; do sleep 0.05; done"#
        let command = options(["sh", "-c", script, "sh", "{output}", pid]) {
            ($0.input, $0.extension, $0.deadline) = (.pcm, "txt", 5)
        }
        _ = try await record(ExecSink.self, [0x4141], workspace.context(format), options: command)
        let id = try #require(pid_t(String(contentsOfFile: pid, encoding: .utf8).trimmingCharacters(in: .newlines)))
        try await Task.sleep(for: .milliseconds(900))
        #expect(kill(id, 0) == 0, "it should still be there")
        #expect(try contents(workspace.file("call.txt")).count == 2)
        kill(id, SIGKILL)
    }

    @Test(.enabled(if: geteuid() == 0), arguments: ["+i", "+a"])
    func `a file that must not be changed is published all the same`(attribute: String) async throws {
        let workspace = try Workspace()
        let script = #"cat > "$1"; chattr \#(attribute) "$1" || true"#
        let command = options(["sh", "-c", script, "sh", "{output}"]) { ($0.input, $0.extension) = (.pcm, "txt") }
        _ = try await record(ExecSink.self, [0x4141], workspace.context(format), options: command)
        try FileManager.default.moveItem(atPath: workspace.file("call.txt"), toPath: workspace.file("published.txt"))
        #expect(try contents(workspace.file("published.txt")).count == 2)
    }

    @Test func `a file that says that it is larger than it is makes the sink fail`() async throws {
        let workspace = try Workspace()
        let command = options(["sh", "-c", #"cat > "$1"; truncate -s 3G "$1""#, "sh", "{output}"]) {
            ($0.input, $0.extension) = (.pcm, "txt")
        }
        let error = await #expect(throws: SinkError.self) {
            _ = try await record(ExecSink.self, [0x4141], workspace.context(format), options: command)
        }
        #expect(error?.description.contains("3221225472 bytes") == true, "\(error)")
    }

    private static let mapper = """
        import mmap, os, sys, time
        f = open(sys.argv[1], "r+b"); m = mmap.mmap(f.fileno(), 0); f.close()
        open(sys.argv[2], "w").write(str(os.getpid()) + "\\n")
        for n in range(100000): m[0] = n % 256; time.sleep(0.01)
        """

    @Test func `what opens the file by its name later finds no file`() async throws {
        let workspace = try Workspace(), note = workspace.file("note")
        let script =
            #"cat > "$1"; setsid sh -c 'exec 2> /dev/null; sleep 0.6; echo late >> "$1" || echo refused > "$2"' sh "$1" "$2" & sleep 0.1"#
        let command = options(["sh", "-c", script, "sh", "{output}", note]) { ($0.input, $0.extension) = (.pcm, "txt") }
        _ = try await record(ExecSink.self, [0x4141], workspace.context(format), options: command)
        for _ in 0..<300 where !FileManager.default.fileExists(atPath: note) {
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(try String(contentsOfFile: note, encoding: .utf8) == "refused\n")
        #expect(try contents(workspace.file("call.txt")).count == 2)
        #expect(try FileManager.default.contentsOfDirectory(atPath: workspace.path).sorted() == ["call.txt", "note"])
    }

    @Test func `what else a program leaves beside its file is removed with it`() async throws {
        let workspace = try Workspace()
        let command = options([
            "sh", "-c", #"cat > "$1"; mkdir "$1.more"; echo x > "$1.more/pass.log""#, "sh", "{output}",
        ]) {
            ($0.input, $0.extension) = (.pcm, "txt")
        }
        _ = try await record(ExecSink.self, [0x4141], workspace.context(format), options: command)
        #expect(try FileManager.default.contentsOfDirectory(atPath: workspace.path) == ["call.txt"])
    }

    @Test(arguments: [false, true]) func `a file that a dead server had lent is taken back before it is published`(
        isReplaced: Bool
    ) throws {
        let workspace = try Workspace(), path = try workspace.write(Data("audio".utf8), "call.mp3")
        let file = LentFile(path)
        try file.lend()
        if isReplaced {
            try Data("better".utf8).write(to: URL(fileURLWithPath: file.lentPath + ".new"))
            #expect(unsafe rename(file.lentPath + ".new", file.lentPath) == 0)
        }
        let late = unsafe open(file.lentPath, O_WRONLY | O_APPEND)
        #expect(late >= 0)
        defer { close(late) }
        #expect(try ExecSink.repair(path, format: format, dryRun: true) == nil)
        #expect(file.isLent)
        // Other repairs may have waited for all the time that there is.
        #expect(try ExecSink.repair(path, format: format, dryRun: false) == nil)
        #expect(unsafe write(late, "late", 4) == 4)
        #expect(String(decoding: try contents(path), as: UTF8.self) == (isReplaced ? "better" : "audio"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: workspace.path) == ["call.mp3"])
        #expect(try ExecSink.repair(path, format: format, dryRun: false) == nil)
    }

    @Test func `a program gets the limit on open files that the server was started with`() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit()
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            #expect(unsafe getrlimit(resource, &limit) == 0)
            limit.rlim_cur = min(limit.rlim_max - 1, 777)
            #expect(unsafe setrlimit(resource, &limit) == 0)
            DescriptorLimit.raise()
            #expect(unsafe getrlimit(resource, &limit) == 0 && limit.rlim_cur == limit.rlim_max)
            var options = ExecOptions()
            options.command = ["sh", "-c", "cat > /dev/null; ulimit -n; echo \"$0 $1\"; env", "a name", "{from} *"]
            let receipt = try await record(
                ExecSink.self, [1], try Workspace().context(AudioFormat(sampleRate: 16000)), options: options)
            let said = receipt.details["stdout"]?.string ?? ""
            #expect(said.hasPrefix("777\na name 447700900123 *\n"), "\(said)")
            let variables = said.split(separator: "\n").dropFirst(2).map { String($0.prefix { $0 != "=" }) }
            #expect(
                Set(variables).subtracting(["PWD", "_", "SHLVL"]).isSubset(of: ProgramEnvironment.usual), "\(said)")
            options.command = ["no-such-program"]
            await #expect(throws: SinkError.self) {
                _ = try await record(
                    ExecSink.self, [1], try Workspace().context(AudioFormat(sampleRate: 16000)), options: options)
            }
        }
    }

    @Test func `what programs leave behind is reaped by a server that it falls to, and nothing else is`() async {
        await #expect(processExitsWith: .success) {
            // Orphaned processes become children of this process, as of the first process in a container.
            typealias Control = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
            let control = unsafe unsafeBitCast(try #require(unsafe dlsym(nil, "prctl")), to: Control.self)
            #expect(control(36, 1, 0, 0, 0) == 0, "PR_SET_CHILD_SUBREAPER")
            func dead() -> [pid_t] {
                ProcessEntry.all()?.filter { $0.isZombie && $0.parent == getpid() }.map(\.id) ?? []
            }
            var options = ExecOptions()
            options.command = ["sh", "-c", "(sleep 0.2 &); cat > /dev/null"]
            for _ in 0..<3 {
                _ = try await record(
                    ExecSink.self, [1], try Workspace().context(AudioFormat(sampleRate: 16000)), options: options)
            }
            #expect(dead().isEmpty)
            // The sink ends the program's process group, which this process must have left by then.
            let workspace = try Workspace(), left = workspace.file("left")
            options.command = [
                "sh", "-c",
                #"setsid sh -c ': > "$0"; exec sleep 0.2' "$0" & until [ -e "$0" ]; do sleep 0.01; done; cat > /dev/null"#,
                left,
            ]
            _ = try await record(
                ExecSink.self, [1], workspace.context(AudioFormat(sampleRate: 16000)), options: options)
            for _ in 0..<300 where dead().isEmpty { try await Task.sleep(for: .milliseconds(20)) }
            #expect(dead().count == 1)
            let seen = OrphanReaper.look(after: [])
            #expect(seen == Set(dead()) && OrphanReaper.look(after: seen).isEmpty)
            #expect(dead().isEmpty)
            // A program has ended, and its sink has not reaped it yet. The reaper leaves it to the sink.
            options.command = ["sh", "-c", "exit 3"]
            var sink = try await ExecSink(
                options: options, context: try Workspace().context(AudioFormat(sampleRate: 16000)))
            try sink.write(PCMChunk(samples: [1], format: AudioFormat(sampleRate: 16000), start: FramePosition(0)))
            for _ in 0..<20 { _ = OrphanReaper.look(after: OrphanReaper.look(after: [])) }
            do throws(SinkError) {
                _ = try sink.finish(.hangup)
                Issue.record("a program that ended with status 3 is no success")
            } catch {
                #expect(error.description.contains("ended with status 3"), "\(error)")
            }
        }
    }
}
