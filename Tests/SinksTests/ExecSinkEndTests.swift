import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelSinks

/// Ends of a program, by itself or by the sink, and the sink's errors.
///
/// They run in the same series as the others, because each blocks one of the few threads that run all tests.
extension ExecSinkTests {
    @Test(arguments: [
        ("exit 3", "ended with status 3 before its input did"), ("exit 0", "ended with status 0 before its input did"),
        ("kill -9 $$", "was ended by signal 9 before its input did"), ("exec <&-; sleep 1; exit 4", ""),
    ])
    func `a program that ends early is an error with its status and its last words`(script: String, reason: String)
        async throws
    {
        let command = options(["sh", "-c", "echo the reason >&2; \(script)"])
        var sink = try await ExecSink(options: command, context: try Workspace().context(format))
        var failure: SinkError?
        // More than a pipe holds, so that a write finds the end at the latest.
        for chunk in chunks(testSignal(frames: 200_000, format), format) {
            do { try sink.write(chunk) } catch {
                failure = error
                break
            }
        }
        #expect(failure?.blame == .destination)
        let words = failure?.description ?? ""
        #expect(words.hasPrefix("\"sh\" \(reason)") && words.hasSuffix("; its output: the reason"), "\(words)")
    }

    @Test func `a program that ends before a short call does is an error at the end`() async throws {
        for script in ["exit 0", "exec <&-; exec sleep 2"] {
            let error = await #expect(throws: SinkError.self) {
                var sink = try await ExecSink(
                    options: options(["sh", "-c", script]), context: try Workspace().context(format))
                try sink.write(PCMChunk(samples: [1], format: format, start: FramePosition(0)))
                await reached { await (try? checkpoint(&sink)) == nil || script != "exit 0" }
                if script != "exit 0" { try await Task.sleep(for: .milliseconds(300)) }
                _ = try sink.finish(.hangup)
            }
            #expect(
                error?.description.contains("before its") == true
                    || error?.description.contains("before its end") == true, "\(error)")
        }
    }

    @Test func `a checkpoint sees that the program has ended`() async throws {
        var sink = try await ExecSink(
            options: options(["sh", "-c", "exit 3"]), context: try Workspace().context(format))
        try sink.write(PCMChunk(samples: [1], format: format, start: FramePosition(0)))
        var failure: SinkError?
        await reached {
            do throws(SinkError) { try await checkpoint(&sink) } catch { failure = error }
            return failure != nil
        }
        #expect(
            failure?.code == .checkpoint && failure?.description == "\"sh\" ended with status 3 before its input did")
    }

    @Test func `a program that is slow and takes something all the time is waited for, longer than its deadline`()
        async throws
    {
        // One write of a megabyte, of which the pipe holds a part: sixteen steps of a quarter of a second.
        let script = "for step in $(seq 16); do head -c 65536 > /dev/null; sleep 0.25; done; exec cat > /dev/null"
        let command = options(["sh", "-c", script]) { $0.deadline = 2.5 }
        let samples = testSignal(frames: 560_000, format)
        let receipt = try await record(
            ExecSink.self, samples, try Workspace().context(format), options: command, chunkFrames: samples.count)
        #expect(receipt.frames == samples.count)
    }

    @Test func `a sink that is let go returns when its program has written its file to the end`() async throws {
        let workspace = try Workspace()
        do {
            let command = options(["sh", "-c", #"cat > "$1"; sleep 0.5; echo done >> "$1""#, "sh", "{output}"]) {
                ($0.input, $0.extension) = (.pcm, "txt")
            }
            var sink = try await ExecSink(options: command, context: workspace.context(format))
            try sink.write(PCMChunk(samples: [0x4141], format: format, start: FramePosition(0)))
        }
        #expect(String(decoding: try contents(workspace.file("call.txt")), as: UTF8.self) == "AAdone\n")
    }

    @Test func `a status that is not 0 is an error`() async throws {
        let error = await #expect(throws: SinkError.self) {
            let command = options(["sh", "-c", "cat > /dev/null; echo one >&2; printf 'two \\033[31m\\n' >&2; exit 7"])
            _ = try await record(ExecSink.self, [1], try Workspace().context(format), options: command)
        }
        #expect(error?.description == "\"sh\" ended with status 7; its output: one / two [31m")
        #expect(error?.code == .finish)
    }

    @Test func `a program that takes no input is ended when its deadline is over, and nothing of it stays`()
        async throws
    {
        let workspace = try Workspace(), path = workspace.file("pid")
        let command = options(["sh", "-c", "echo $$ > \(path); trap '' PIPE; exec sleep 600"]) { $0.deadline = 0.5 }
        do {
            var sink = try await ExecSink(options: command, context: workspace.context(format))
            let error = #expect(throws: SinkError.self) {
                for chunk in chunks(testSignal(frames: 200_000, format), format) { try sink.write(chunk) }
            }
            #expect(error?.description == "\"sh\" read no input for 0.5 seconds, and is being ended")
            // Already while the sink is there.
            try await expectGone(path)
            _ = consume sink
        }
    }

    @Test func `a program that goes on after its input is ended, by the second signal if it must be`() async throws {
        for script in ["exec sleep 600", "trap '' TERM; cat > /dev/null; while :; do sleep 0.1; done"] {
            let workspace = try Workspace(), path = workspace.file("pid")
            let error = await #expect(throws: SinkError.self) {
                let command = options(["sh", "-c", "echo $$ > \(path); \(script)"]) { $0.deadline = 0.3 }
                _ = try await record(ExecSink.self, [1], workspace.context(format), options: command)
            }
            #expect(
                error?.description.hasPrefix("\"sh\" did not end within 0.3 seconds after its input, and was ended")
                    == true, "\(error)")
            try await expectGone(path)
        }
    }

    @Test(arguments: ["", "trap '' TERM; "])
    func `what a program leaves running is ended with it, though it keeps the pipes open`(trap: String)
        async throws
    {
        let workspace = try Workspace(), path = workspace.file("pid")
        let command = options(["sh", "-c", "cat > /dev/null; (\(trap)sleep 600 & echo $! > \(path)); echo done"])
        let receipt = try await record(ExecSink.self, [1], workspace.context(format), options: command)
        #expect(receipt.details["stdout"] == "done\n")
        let pid = try #require(pid_t(String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .newlines)))
        #expect(isOver(pid))
    }

    @Test func `the second signal reaches what is left of a group whose first process is gone`() async throws {
        let workspace = try Workspace(), path = workspace.file("pid")
        // The first signal ends the first process. Its child ignores that signal.
        let script = "(trap '' TERM; echo $BASHPID > \(path); while :; do sleep 0.1; done) & exec sleep 600"
        let command = options(["bash", "-c", script]) { $0.deadline = 0.3 }
        let error = await #expect(throws: SinkError.self) {
            _ = try await record(ExecSink.self, [1], workspace.context(format), options: command)
        }
        #expect(error?.description.contains("did not end within 0.3 seconds") == true, "\(error)")
        let pid = try #require(pid_t(String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .newlines)))
        #expect(isOver(pid))
    }

    /// Returns true if a process has ended, even if its parent has not reaped it.
    private func isOver(_ pid: pid_t) -> Bool {
        kill(pid, 0) != 0 || ProcessEntry.all()?.contains { $0.id == pid && !$0.isZombie } == false
    }

    @Test func `a sink that is let go ends its program, and no descriptor or process stays`() async throws {
        let before = descriptors()
        for script in ["cat > /dev/null", "exec sleep 600"] {
            let workspace = try Workspace(), path = workspace.file("pid")
            do {
                let command = options(["sh", "-c", "echo $$ > \(path); \(script)"]) { $0.deadline = 0.5 }
                var sink = try await ExecSink(options: command, context: workspace.context(format))
                try sink.write(PCMChunk(samples: [1], format: format, start: FramePosition(0)))
                await reached { FileManager.default.contents(atPath: path)?.isEmpty == false }
            }
            try await expectGone(path)
        }
        await reached { descriptors().count <= before.count + 4 }
        // The library keeps a few for itself after its first use. Each further program adds none.
        let used = descriptors().count
        for _ in 0..<20 { _ = try await record(ExecSink.self, [1], try Workspace().context(format)) }
        await reached { descriptors().count <= used }
        #expect(descriptors().count <= used)
    }

    /// Waits until the process with the number in a file is gone and reaped.
    private func expectGone(_ path: String) async throws {
        let pid = try #require(pid_t(String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .newlines)))
        await reached { kill(pid, 0) != 0 }
        #expect(kill(pid, 0) != 0 && errno == ESRCH)
    }

    private func descriptors() -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    }
}

/// Waits up to a minute for a condition.
private func reached(_ condition: () async -> Bool) async {
    for _ in 0..<3000 {
        if await condition() { return }
        try? await Task.sleep(for: .milliseconds(20))
    }
}
