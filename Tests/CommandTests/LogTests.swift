import CallreelCore
import Foundation
import TestSupport
import Testing

/// Servers whose log cannot be written, or has no reader.
@Suite struct LogTests {
    private let directory = TemporaryDirectory()

    /// Starts a server in a shell that redirects its standard error.
    private func serve(_ redirection: String, _ arguments: [String], environment: [String: String] = [:]) async throws
        -> (
            program: RunningProgram, url: String
        )
    {
        try RunningServer.configuration.write(toFile: directory.path + "/c.json", atomically: true, encoding: .utf8)
        let command = [
            "-c", "exec \"$0\" \"$@\" \(redirection)", Program.callreel.path, "serve", "--config", "c.json", "--port",
            "0",
        ]
        let program = try Program("bash").start(command + arguments, in: directory.path, environment: environment)
        return (program, try await program.page())
    }

    private func call(_ url: String, count: Int = 1, from: String = "1") async throws -> Program.Result {
        let file = directory.path + "/short.wav"
        try await Program("sox").output(["-n", "-r", "16000", "-b", "16", file, "synth", "0.2", "sine", "300"])
        return try await Program.callreel.run(
            ["call", file, "--speed", "max", "--calls", "\(count)", "--from", from, "--to", url + "/webhooks/answer"])
    }

    private func dropped(_ url: String) async throws -> Int {
        let metrics = String(decoding: try await Program("curl").output(["-s", url + "/metrics"]), as: UTF8.self)
        let line = try #require(
            metrics.split(separator: "\n").first { $0.hasPrefix("callreel_log_lines_dropped_total ") })
        return try #require(line.split(separator: " ").last.flatMap { Int($0) })
    }

    @Test(arguments: ["text", "json"], ["2> /dev/full", "2> >(:)", "2>&-"])
    func `a log that cannot be written ends no call`(format: String, redirection: String) async throws {
        let (server, url) = try await serve(redirection, ["--log-format", format])
        for _ in 0..<2 { #expect(try await call(url, count: 3).status == 0) }
        server.signal(SIGTERM)
        #expect(try await server.result().status == 0)
        #expect(directory.files(in: "recordings").count { $0.hasSuffix(".json") } == 6)
    }

    @Test(arguments: ["text", "json"])
    func `a log that nobody reads stops nothing, and says later how much is missing`(format: String) async throws {
        let pipe = directory.path + "/log"
        try await Program("mkfifo").output([pipe])
        // Opened for reading and writing, the pipe has a reader, and that reader never reads.
        let (server, url) = try await serve("2<> log", ["--log-format", format, "--log-buffer", "16"])
        // More than the pipe and the buffer hold.
        let name = String(repeating: "7", count: 2000)
        #expect(try await call(url, count: 50, from: name).status == 0)
        #expect(try await Program("curl").run(["-sf", url + "/healthz"]).status == 0)
        let lost = try await dropped(url)
        #expect(lost > 0)
        let reader = try Program("cat").start([pipe])
        // If the buffer was full more than once, there is more than one such line.
        _ = try await eventually("the lines that say how many are missing") {
            let counts = try reader.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().compactMap
            { line in
                let entry = format == "json" ? try JSONValue(parsing: Data(line.utf8)) : nil
                guard line.contains("log lines dropped") else { return nil as Int? }
                return try #require(
                    Int(entry?["lines"]?.string ?? String(line.firstMatch(of: #/ lines=(\d+) /#)?.1 ?? "")))
            }
            return counts.reduce(0, +) == lost ? true : nil
        }
        reader.signal(SIGKILL)
        server.signal(SIGTERM)
        #expect(try await server.result().status == 0)
    }

    @Test func `whatever a library prints is a line of the JSON log, and its last words come out`() async throws {
        let source = directory.path + "/noise.c", library = directory.path + "/noise.so"
        try """
        #include <pthread.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <unistd.h>
        static void *speak(void *nothing) {
            while (access("speak", F_OK)) usleep(10000);
            fprintf(stderr, "a library \\"says\\"\\tthis\\n\\nand\\xff that\\nwithout an end");
            while (access("die", F_OK)) usleep(10000);
            fprintf(stderr, "Fatal error: the last words");
            abort();
        }
        __attribute__((constructor)) static void begin(void) { pthread_t thread; if (getenv("NOISE")) pthread_create(&thread, 0, speak, 0); }
        """.write(toFile: source, atomically: true, encoding: .utf8)
        try await Program("gcc").output(["-shared", "-fPIC", "-o", library, source, "-lpthread"])
        let (server, url) = try await serve(
            "2> log", ["--log-format", "json"],
            environment: ["LD_PRELOAD": library, "NOISE": "1", "SWIFT_BACKTRACE": "enable=no"])
        func log() throws -> String { try String(contentsOfFile: directory.path + "/log", encoding: .utf8) }
        // The shell has become the server. The test looks only at the server's descriptor 2.
        try Data().write(to: URL(fileURLWithPath: directory.path + "/speak"))
        _ = try await eventually("the library's words") { try log().contains("without an end") ? true : nil }
        #expect(try await call(url).status == 0)
        try Data().write(to: URL(fileURLWithPath: directory.path + "/die"))
        #expect(try await server.result().status == 128 + SIGABRT)
        let lines = try log().split(separator: "\n").map { try JSONValue(parsing: Data($0.utf8)) }
        let said = lines.filter { $0["source"] == "stderr" }.compactMap { $0["message"]?.string }
        #expect(said.prefix(2) == ["a library \"says\"\tthis", "and\u{FFFD} that"])
        #expect(said.contains("without an end") && said.last == "Fatal error: the last words", "\(said)")
        #expect(lines.contains { $0["message"] == "call recorded" })
    }

    @Test func `a server that cannot start says so in JSON`() async throws {
        try #"{"sinks": [{"type": "wav", "levl": 1}, {"type": "flax"}]}"#.write(
            toFile: directory.path + "/wrong.json", atomically: true, encoding: .utf8)
        let wrong = try await Program.callreel.run(
            ["serve", "--config", "wrong.json", "--log-format", "json"], in: directory.path)
        let mistakes = try wrong.errors.split(separator: "\n").map { try JSONValue(parsing: Data($0.utf8)) }
        #expect(wrong.status == 1 && mistakes.map { $0["level"] } == ["critical", "critical"])
        #expect(mistakes.contains { $0["reason"]?.string?.contains("sinks[0].levl: unknown key") == true })
        let server = try await RunningServer()
        let port = try #require(URL(string: server.url)?.port)
        let taken = try await Program.callreel.run(
            ["serve", "--config", "callreel.json", "--port", "\(port)", "--log-format", "json"],
            in: server.directory.path)
        let lines = try taken.errors.split(separator: "\n").map { try JSONValue(parsing: Data($0.utf8)) }
        #expect(taken.status == 1 && lines.last?["reason"]?.string?.contains("port \(port)") == true, "\(taken.errors)")
    }

    @Test(arguments: ["text", "json"])
    func `no character of a caller's name ends a line or turns it round`(format: String) async throws {
        let server = try await RunningServer("--log-format", format, configuration: RunningServer.trusting)
        let scalars: [UInt32] = [
            0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1B, 0x7F, 0x85, 0x9B, 0x2028, 0x2029, 0x200F, 0x202E, 0x2066,
        ]
        let name = "<" + scalars.compactMap(Unicode.Scalar.init).map { String($0) }.joined(separator: ".") + ">"
        let result = try await Program.callreel.run([
            "call", Speech.path, "--speed", "max", "--from", name, "--to",
            server.url.replacingOccurrences(of: "http", with: "ws") + "/cable",
        ])
        #expect(result.status == 0, "\(result.errors)")
        let log = try await eventually("the call's end in the log") {
            server.program.errors.contains("call recorded") ? server.program.errors : nil
        }
        for scalar in log.unicodeScalars where scalar != "\n" {
            #expect(!scalars.contains(scalar.value), "\(scalar.value)")
        }
        for line in log.split(separator: "\n") where format == "json" {
            let value = try JSONValue(parsing: Data(line.utf8))
            if value["message"] == "call started" { #expect(value["call.from"]?.string == name) }
        }
    }
}
