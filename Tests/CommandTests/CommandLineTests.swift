import CallreelCore
import Foundation
import TestSupport
import Testing

@Suite struct CommandLineTests {
    private let directory = TemporaryDirectory()

    /// Runs the command inside a shell script.
    private func shell(_ script: String, environment: [String: String] = [:]) async throws -> Program.Result {
        try RunningServer.configuration.write(toFile: directory.path + "/c.json", atomically: true, encoding: .utf8)
        return try await Program("bash").run(
            ["-c", script, Program.callreel.path], in: directory.path, environment: environment)
    }

    @Test(arguments: [
        "\"$0\" config check --config <(cat c.json)", "cat c.json | \"$0\" config check --config /dev/stdin",
        "\"$0\" config check - < c.json",
        "\"$0\" config check c.json",
    ])
    func `a configuration can be a pipe, standard input, or a plain argument`(script: String) async throws {
        let result = try await shell(script)
        #expect(
            result.status == 0 && result.text.hasSuffix("is valid: wav (wav), flac (flac), raw (raw)\n"),
            "\(result.errors)")
    }

    @Test func `the entries that want a call are shown, and the keys that keep it from the others`() async throws {
        let text = #"""
            {"sinks": [{"type": "wav", "when": {"to": ["+4420*"]}}, {"type": "flac", "when": {"carrier": ["vonage"]}}],
             "deliveries": [{"type": "exec", "command": ["true"], "when": {"header.department": ["sales"]}}]}
            """#
        try text.write(toFile: directory.path + "/when.json", atomically: true, encoding: .utf8)
        func show(_ call: String, _ more: String = "") async throws -> Program.Result {
            try await shell("echo '\(call)' | \"$0\" sinks --for - --config when.json \(more)")
        }
        let table = try await show(#"{"carrier": "vonage", "to": "442079460000", "headers": {"department": "HR"}}"#)
        #expect(table.text.contains(/sinks +wav +wav +records/), "\(table.text) \(table.errors)")
        #expect(table.text.contains(/deliveries +exec +exec +skipped: when\.header\.department/), "\(table.text)")
        // A manifest has the same facts in its `call`.
        let manifest = try await show(
            #"{"version": 1, "call": {"carrier": "pcm", "to": "+33", "legs": ["a"]}}"#, "--json")
        #expect(manifest.text.contains(#""skipped" : "when.to""#), "\(manifest.text) \(manifest.errors)")
        let none = try await show(#"{"carrier": "pcm", "to": "+33"}"#)
        #expect(none.text.contains("No sink wants this call: it is only counted"), "\(none.text)")
        let wrong = try await show(#"{"cartier": "pcm"}"#)
        #expect(wrong.status == 1 && wrong.errors.contains("-: cartier: unknown key; did you mean \"carrier\"?"))
        let list = try await show("[]")
        #expect(list.errors.contains("-: [] is not an object such as {"), "\(list.errors)")
        let lonely = try await shell("\"$0\" sinks --config when.json")
        #expect(lonely.status == 64 && lonely.errors.contains("has an effect only with --for"))
        try text.replacing("vonage", with: "vonnage").write(
            toFile: directory.path + "/when.json", atomically: true, encoding: .utf8)
        let mistake = try await shell("\"$0\" config check when.json")
        #expect(
            mistake.errors.contains(
                "sinks[1].when.carrier: no carrier of this configuration is a \"vonnage\"; known are replay, vonage; did you mean \"vonage\"?"
            ), "\(mistake.errors)")
    }

    @Test func `a configuration that cannot be read is named with the system's reason`() async throws {
        for (script, reason) in [
            ("\"$0\" config check .", ".: cannot be read: Is a directory"),
            ("\"$0\" config check /dev/null", "/dev/null: is not JSON"),
            ("\"$0\" config check /dev/zero", "/dev/zero: cannot be read: it has more than"),
            ("\"$0\" config check c.json --config d.json", "c.json and --config d.json are two files"),
        ] {
            let result = try await shell(script)
            #expect(result.status != 0 && result.errors.contains(reason), "\(script): \(result.errors)")
        }
    }

    @Test(arguments: [
        "config schema", "config example", "sinks", "sinks describe flac", "--help", "--version", "config check c.json",
    ])
    func `what cannot be printed is a failure`(arguments: String) async throws {
        let full = try await shell("\"$0\" \(arguments) > /dev/full")
        #expect(
            full.status == 1 && full.errors.contains("cannot write to standard output: No space left on device"),
            "\(full.errors)")
        let closed = try await shell("\"$0\" \(arguments) >&-")
        #expect(closed.status == 1 && closed.errors.contains("Bad file descriptor"), "\(closed.errors)")
        #expect(try await shell("\"$0\" \(arguments)").status == 0)
    }

    @Test func `a server without standard output or input records all the same`() async throws {
        let port = try await Loopback.freePort()
        let script =
            "\"$0\" serve --config c.json --port \(port) <&- >&- & "
            + "for i in $(seq 300); do curl -sf http://127.0.0.1:\(port)/healthz && break; sleep 0.1; done; "
            + "\"$0\" call '\(Speech.path)' --speed max --to http://127.0.0.1:\(port)/webhooks/answer; kill -TERM $!; wait $!"
        let result = try await shell(script)
        #expect(result.status == 0 && result.text.contains("Recorded: recordings/"), "\(result.text) \(result.errors)")
        let raw = try #require(directory.files(in: "recordings").first { $0.hasSuffix(".raw") })
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: directory.path + "/recordings/" + raw))
                == (try await Speech.pcm()))
    }

    @Test func `a mistyped subcommand gets a suggestion, and the version is told`() async throws {
        for (arguments, hint) in [
            (["serv"], "did you mean \"serve\"?"), (["config", "chek"], "did you mean \"check\"?"),
            (["sinks", "describ"], "did you mean \"describe\"?"), (["qwertz"], "known are serve, call, replay"),
        ] {
            let result = try await Program.callreel.run(arguments)
            #expect(
                result.status == 64 && result.errors.contains(hint) && result.errors.contains(arguments.last ?? ""),
                "\(result.errors)")
            #expect(!result.errors.contains("selftest-server"))
        }
        let version = try await Program.callreel.run(["--version"])
        #expect(version.status == 0 && version.text.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil, "\(version.text)")
        let server = try await RunningServer()
        let metrics = String(
            decoding: try await Program("curl").output(["-s", server.url + "/metrics"]), as: UTF8.self)
        #expect(metrics.contains("callreel_build_info{version=\"\(version.text.dropLast())\"} 1\n"))
    }

    @Test(arguments: ["r", "d/x", "é", "./r", "r/"])
    func `a recordings directory of one letter is as good as any`(place: String) async throws {
        let configuration = #"{"recordings": {"directory": "\#(place)"}, "sinks": [{"type": "raw"}]}"#
        try configuration.write(toFile: directory.path + "/short.json", atomically: true, encoding: .utf8)
        let result = try await Program.callreel.run(
            ["replay", Speech.path, "--config", "short.json"], in: directory.path)
        #expect(result.status == 0, "\(result.errors)")
        #expect(directory.files(in: place).count { $0.hasSuffix(".raw") } == 1)
    }

    @Test func `a home directory is written out, not as a shell writes it`() async throws {
        let configuration =
            #"{"recordings": {"directory": "~/x"}, "sinks": [{"type": "raw", "directory": "~", "fallback": "~root/y"}]}"#
        try configuration.write(toFile: directory.path + "/home.json", atomically: true, encoding: .utf8)
        for command in [["config", "check", "home.json"], ["serve", "--config", "home.json", "--port", "0"]] {
            let result = try await Program.callreel.run(command, in: directory.path)
            #expect(result.status == 1, "\(result.errors)")
            for key in ["recordings.directory: \"~/x\"", "sinks[0].directory: \"~\"", "sinks[0].fallback: \"~root/y\""]
            {
                #expect(result.errors.contains(key) && result.errors.contains("${HOME}"), "\(result.errors)")
            }
        }
        #expect(directory.files() == ["home.json"])
    }

    @Test func `an environment of nothing, or of nonsense, changes nothing`() async throws {
        for prefix in [
            "env -i", "env -u HOME -u PATH", "env HOME= TMPDIR=/nowhere TZ=No/Where LC_ALL=xx LANG=yy",
            "env -i $'A=\\xff'",
        ] {
            let result = try await shell("exec /usr/bin/\(prefix) \"$0\" replay '\(Speech.path)' --config c.json")
            #expect(result.status == 0, "\(prefix): \(result.errors)")
        }
    }

    @Test(.enabled(if: geteuid() == 0, "mounting needs root"))
    func `a system without proc is refused by name`() async throws {
        try RunningServer.configuration.write(toFile: directory.path + "/c.json", atomically: true, encoding: .utf8)
        for command in ["sinks", "config check c.json", "serve --config c.json --port 0", "--version"] {
            let result = try await Program("unshare").run(
                ["-m", "bash", "-c", "mount -t tmpfs none /proc && exec \"$0\" \(command)", Program.callreel.path],
                in: directory.path)
            #expect(
                result.status == 1 && result.errors.contains("/proc is not mounted"), "\(command): \(result.errors)")
        }
    }

    @Test func `a clock at its beginning or its end stops nothing`() async throws {
        let source = directory.path + "/clock.c", library = directory.path + "/clock.so"
        try """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <stdlib.h>
        #include <sys/time.h>
        #include <time.h>
        static time_t now(void) { return atoll(getenv("CLOCK")); }
        int clock_gettime(clockid_t clock, struct timespec *at) {
            int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
            int result = real(clock, at);
            if (clock == CLOCK_REALTIME) at->tv_sec = now();
            return result;
        }
        time_t time(time_t *at) { if (at) *at = now(); return now(); }
        int gettimeofday(struct timeval *at, void *zone) { at->tv_sec = now(); at->tv_usec = 0; return 0; }
        """.write(toFile: source, atomically: true, encoding: .utf8)
        try await Program("gcc").output(["-shared", "-fPIC", "-o", library, source, "-ldl"])
        // The last is the latest second that Linux lets a clock be set to.
        for seconds in ["0", "1", "8277292035"] {
            let result = try await shell(
                "\"$0\" replay '\(Speech.path)' --config c.json && \"$0\" verify recordings",
                environment: ["LD_PRELOAD": library, "CLOCK": seconds])
            #expect(
                result.status == 0 && result.text.contains("problems    0"),
                "\(seconds): \(result.text) \(result.errors)")
        }
    }
}
