import CallreelCore
import CallreelEngine
import Foundation
import Testing

@testable import CallreelSinks

/// The input and environment of a program, and the results.
@Suite(.serialized) struct ExecSinkTests {
    let format = AudioFormat(sampleRate: 16000)

    @Test(arguments: [1, 2])
    func `programs read the WAV to its end, and their file is part of the recording`(channels: Int) async throws {
        let format = AudioFormat(sampleRate: 8000, channels: channels), samples = testSignal(frames: 40_001, format)
        let commands = [
            ["ffmpeg", "-v", "error", "-i", "-", "-y", "-f", "flac", "{output}"],
            ["sox", "-t", "wav", "-", "-t", "flac", "{output}"],
            ["flac", "--silent", "--ignore-chunk-sizes", "-f", "-o", "{output}", "-"],
        ]
        for command in commands {
            let workspace = try Workspace(), context = workspace.context(format, mode: 0o604)
            let receipt = try await record(
                ExecSink.self, samples, context, options: options(command) { $0.extension = "flac" })
            #expect(receipt.frames == samples.count / channels && receipt.details["status"] == 0)
            #expect(receipt.details["program"] == .string(command[0]))
            #expect(context.createdFiles == ["call.flac"])
            expectSame(try Tool.flac(workspace.file("call.flac")), samples, command[0])
            let mode =
                try FileManager.default.attributesOfItem(atPath: workspace.file("call.flac"))[.posixPermissions] as? Int
            #expect(mode == 0o604, "\(command[0])")
        }
    }

    @Test func `bare samples are the samples and nothing else`() async throws {
        let workspace = try Workspace(), samples = testSignal(frames: 40_000, format)
        let command = options(["dd", "status=none", "of={output}"]) {
            $0.input = .pcm
            $0.extension = "pcm"
        }
        _ = try await record(ExecSink.self, samples, workspace.context(format), options: command)
        expectSame(try Tool.samples(ofRawFile: workspace.file("call.pcm")), samples)
    }

    @Test func `a program may put another file in the place of its own`() async throws {
        let workspace = try Workspace()
        let command = options(["sh", "-c", #"umask 0; cat > "$1.new" && mv "$1.new" "$1""#, "sh", "{output}"]) {
            $0.extension = "wav"
        }
        _ = try await record(
            ExecSink.self, testSignal(frames: 4000, format), workspace.context(format), options: command)
        #expect(try contents(workspace.file("call.wav")).count == 44 + 8000)
        let mode =
            try FileManager.default.attributesOfItem(atPath: workspace.file("call.wav"))[.posixPermissions] as? Int
        #expect(mode == 0o640)
        let gone = try Workspace()
        let error = await #expect(throws: SinkError.self) {
            let command = options(["sh", "-c", #"cat > /dev/null; rm "$1""#, "sh", "{output}"]) { $0.extension = "wav" }
            _ = try await record(
                ExecSink.self, testSignal(frames: 4000, format), gone.context(format), options: command)
        }
        #expect(error?.description.contains("call.wav: No such file") == true)
    }

    @Test func `a call without audio is a header, and the default counts bytes`() async throws {
        let receipt = try await record(ExecSink.self, [], try Workspace().context(format))
        #expect(receipt.details["stdout"]?.string?.trimmingCharacters(in: .whitespacesAndNewlines) == "44")
        let more = try await record(ExecSink.self, testSignal(frames: 1000, format), try Workspace().context(format))
        #expect(more.details["stdout"]?.string?.trimmingCharacters(in: .whitespacesAndNewlines) == "2044")
    }

    @Test func `placeholders are filled, and what a caller says stays one harmless argument`() async throws {
        let words = ["id", "from", "to", "uuid", "conversation", "carrier", "date", "time", "sampleRate", "channels"]
        let script = ["sh", "-c", "cat > /dev/null; printf '%s\\n' \"$@\"", "sh"]
        let command = script + words.map { "{\($0)}" } + ["x{from}y{to}", "{{from}", "{print $1}", "${from}"]
        let call = CallFacts(
            carrier: "vonage", from: "--output=/etc/x y\n$(id)", to: nil, uuid: "../a", conversation: "-")
        let receipt = try await record(
            ExecSink.self, [1], try Workspace().context(format, call: call), options: options(command))
        #expect(
            receipt.details["stdout"]?.string?.split(separator: "\n").map(String.init) == [
                Workspace.id.description, "_-output__etc_x_y___id_", "unknown", ".._a", "_", "vonage", "2026-11-22",
                "101500Z", "16000", "1",
                "x_-output__etc_x_y___id_yunknown", "{from}", "{print $1}", "${from}",
            ])
    }

    @Test func `what a caller says is not longer than a fact of a call may be`() async throws {
        let call = CallFacts(carrier: "test", from: String(repeating: "4", count: 100))
        let command = options(["sh", "-c", "cat > /dev/null; printf %s \"$1\"", "sh", "{from}"])
        let receipt = try await record(
            ExecSink.self, [1], try Workspace().context(format, call: call), options: command)
        #expect(receipt.details["stdout"] == .string(String(repeating: "4", count: 64)))
    }

    @Test func `the program has none of the server's descriptors, and of its environment what it is given`()
        async throws
    {
        // In a separate process, because other threads may read the environment while it changes.
        await #expect(processExitsWith: .success) {
            let workspace = try Workspace()
            // Open in this process, without close-on-exec.
            let open = unsafe open(workspace.path, O_RDONLY)
            #expect(open > 2)
            unsafe setenv("CALLREEL_TEST_SECRET", "hidden", 1)
            unsafe setenv("CALLREEL_TEST_GIVEN", "shown", 1)
            var options = ExecOptions()
            options.command = ["sh", "-c", "cat > /dev/null; ls -1 /proc/self/fd; env"]
            options.environment = ["CALLREEL_TEST_GIVEN", "CALLREEL_TEST_UNSET"]
            let receipt = try await record(
                ExecSink.self, [1], workspace.context(AudioFormat(sampleRate: 16000)), options: options)
            let said = receipt.details["stdout"]?.string ?? ""
            // The last is the directory that `ls` reads.
            #expect(said.split(separator: "\n").prefix { Int($0) != nil } == ["0", "1", "2", "3"], "\(said)")
            #expect(
                said.contains("CALLREEL_TEST_GIVEN=shown") && said.contains("PATH=")
                    && !said.contains("CALLREEL_TEST_SECRET"), "\(said)")
            close(open)
        }
    }

    @Test func `what it prints is bounded, and the end of it is kept`() async throws {
        let command = options([
            "sh", "-c", "cat > /dev/null; head -c 3000000 /dev/zero | tr '\\0' 'a'; echo end; seq 1 200000 >&2",
        ])
        let receipt = try await record(ExecSink.self, [1], try Workspace().context(format), options: command)
        #expect(
            receipt.details["stdout"]?.string?.utf8.count == 4096
                && receipt.details["stdout"]?.string?.hasSuffix("aaend\n") == true)
        #expect(receipt.details["stderr"]?.string?.hasSuffix("\n200000\n") == true)
        // While the call runs, too: the program must not wait for a reader of its output.
        let echo = try await record(
            ExecSink.self, testSignal(frames: 400_000, format), try Workspace().context(format),
            options: options(["cat"]))
        #expect(echo.frames == 400_000)
    }

    @Test func `a sink that is only opened starts nothing`() async throws {
        let workspace = try Workspace()
        do {
            _ = try await ExecSink(
                options: options(["touch", workspace.file("started")]), context: workspace.context(format))
        }
        do {
            let command = options(["sh", "-c", "touch \(workspace.file("again")); cat"])
            var sink = try await ExecSink(options: command, context: workspace.context(format))
            try await checkpoint(&sink)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: workspace.path).isEmpty)
    }

    @Test func `what is no program is refused when the sink opens`() async throws {
        let workspace = try Workspace()
        let text = try workspace.write(Data("text".utf8), "text")
        let cases = [
            ("no-such-program", "is not an executable file in a directory of PATH"), (text, "not an executable file"),
            (workspace.path, "not an executable file"),
            ("/no/such", "does not exist"),
        ]
        for (program, reason) in cases {
            let error = await #expect(throws: SinkError.self) {
                _ = try await ExecSink(options: options([program]), context: workspace.context(format))
            }
            #expect(
                error?.code == .open && error?.blame == .options
                    && error?.description.contains("\"\(program)\"") == true)
            #expect(error?.description.contains(reason) == true, "\(error)")
        }
        // A file that the system cannot run is found when it is started.
        let broken = try workspace.write(Data("#!/no/such/interpreter\n".utf8), "broken")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: broken)
        let error = await #expect(throws: SinkError.self) {
            _ = try await record(ExecSink.self, [1], workspace.context(format), options: options([broken]))
        }
        #expect(error?.description.contains("could not be run") == true, "\(error)")
    }

    @Test(arguments: [
        (#""command": "ffmpeg -i -""#, #"sinks[0].command: "ffmpeg -i -" is one text, and no shell splits it"#),
        (#""command": []"#, "sinks[0].command: names no program"),
        (#""command": ["cat", 5]"#, "sinks[0].command[1]: 5 is not text in double quotes"),
        (#""command": ["cat", "{form}"]"#, #"sinks[0].command[1]: "{form}" has the unknown placeholder {form}"#),
        (#""command": ["{from}"]"#, #"sinks[0].command[0]: "{from}" has a placeholder"#),
        (#""command": ["cat", "{output}"]"#, #"sinks[0]: "command" has {output}, which needs an "extension""#),
        (
            #""deadline": 3"#,
            #"sinks[0].command: is missing; expected: list of a program and its arguments, such as ["wc","-c"]"#
        ),
        (#""comand": ["cat"]"#, #"sinks[0].comand: unknown key; did you mean "command"?"#),
        (
            #""command": ["cat"], "extension": "mp3""#,
            #"sinks[0]: "extension" has no effect without {output} in "command""#
        ),
        (#""command": ["cat"], "extension": "../x""#, "sinks[0].extension:"),
        (#""command": ["cat"], "extension": "json""#, "sinks[0].extension:"),
        (#""command": ["cat"], "deadline": 0"#, "sinks[0].deadline: 0 is outside 0.1...3600.0"),
        (
            #""command": ["cat"], "environment": ["A=b"]"#,
            #"sinks[0].environment[0]: "A=b" is not the name of a variable"#
        ),
        (#""command": ["cat"], "input": "mp3""#, #"sinks[0].input: "mp3" is not one of wav, pcm"#),
    ])
    func `a command that cannot be right is refused with its path`(keys: String, message: String) throws {
        var problems: [ConfigurationProblem] = []
        let value = try JSONValue(parsing: Data("[{\"type\": \"exec\", \(keys)}]".utf8))
        _ = SinkPlan.read(value, at: .root.key("sinks"), registry: .builtIn, formats: [format], problems: &problems)
        #expect(problems.count == 1 && problems.first?.description.hasPrefix(message) == true, "\(problems)")
    }
}

/// Makes the options of a sink for this command.
func options(_ command: [String], _ change: (inout ExecOptions) -> Void = { _ in }) -> ExecOptions {
    var options = ExecOptions()
    options.command = command
    change(&options)
    return options
}
