import CallreelCore
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct HealthTests {
    private func get(_ url: String) async throws -> (status: Int, body: Data) {
        let result = try await Program("curl").output(["-s", "--max-time", "20", "-w", "%{http_code}", url])
        return (Int(String(decoding: result.suffix(3), as: UTF8.self)) ?? 0, result.dropLast(3))
    }

    private func readiness(_ server: TestServer) async throws -> (status: Int, value: JSONValue) {
        let answer = try await get(server.http + "/readyz")
        return (answer.status, try JSONValue(parsing: Data(answer.body)))
    }

    private func texts(_ value: JSONValue?) -> [String] {
        (value?.elements ?? []).compactMap { $0.string ?? $0["reason"]?.string }
    }

    /// Returns a server's samples as `name{label=value}` and number, read by the Prometheus project's own parser.
    private func metrics(_ server: TestServer) async throws -> [String: Double] {
        let code = """
            import sys, json, urllib.request
            from prometheus_client.parser import text_string_to_metric_families
            answer = urllib.request.urlopen(sys.argv[1])
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4"), answer.headers
            found = {}
            for family in text_string_to_metric_families(answer.read().decode()):
                assert family.documentation and family.documentation != family.name and family.type != "unknown", family
                for sample in family.samples:
                    found[sample.name + "".join("{%s=%s}" % label for label in sorted(sample.labels.items()))] = sample.value
            print(json.dumps(found))
            """
        let found = try JSONValue(parsing: try await Judge.python(code, [server.http + "/metrics"]))
        guard case .object(let members) = found else { return [:] }
        return members.compactMapValues(\.double)
    }

    @Test func `what was recorded is in the metrics to the frame`() async throws {
        try await TestServer.run(sinks: #"[{"type": "wav"}, {"type": "flac", "name": "small"}]"#) { server in
            let before = try await metrics(server)
            #expect(
                before["callreel_calls_started_total"] == 0 && before["callreel_refused_total{reason=draining}"] == 0,
                "\(before)")
            _ = try await PythonCall(server.cable, pcm: Speech.path).place()
            let recording = try await server.finished()[0]
            let after = try await eventually("a call that is counted") {
                let found = try await metrics(server)
                return found["callreel_calls_recorded_total"] == 1 && found["callreel_calls_live"] == 0 ? found : nil
            }
            let frames = Double(recording.framesReceived)
            #expect(frames > 176_000 && after["callreel_frames_received_total"] == frames)
            for sink in ["{sink=wav}{type=wav}", "{sink=small}{type=flac}"] {
                #expect(after["callreel_sink_frames_written_total\(sink)"] == frames)
                #expect(
                    after["callreel_sink_frames_lost_total\(sink)"] == 0
                        && after["callreel_sink_failures_total\(sink)"] == 0)
                #expect(after["callreel_sink_write_seconds_count\(sink)"] ?? 0 >= 1)
                #expect(after["callreel_sink_lag_seconds_sum\(sink)"] ?? 0 > 0)
                #expect(after["callreel_sink_finish_seconds_count\(sink)"] == 1)
            }
            #expect(after.keys.contains { $0.hasPrefix("callreel_disk_free_bytes{directory=") })
        }
    }

    @Test func `every metric is explained to operators`() async throws {
        let reference = try String(
            contentsOfFile: Speech.fixture("../../Docs/Reference/Metrics.md"), encoding: .utf8)
        let explained = Set(reference.matches(of: /`(callreel_[a-z_]+)(?:\{[a-z,]+\})?`/).map { String($0.1) })
        let deliveries = #", "deliveries": [{"type": "exec", "command": ["true"]}]"#
        try await TestServer.run(more: deliveries) { server in
            let endings = ["_bucket", "_sum", "_count"]
            let served = try await metrics(server).keys.map { name in
                let plain = String(name.prefix { $0 != "{" })
                return endings.first(where: plain.hasSuffix).map { String(plain.dropLast($0.count)) } ?? plain
            }
            #expect(Set(served) == explained)
        }
    }

    @Test func `a directory's name in a label is escaped`() async throws {
        let odd = TemporaryDirectory().path + #"/a "quoted" \name"#
        let entry = JSONValue.object(["type": "raw", "directory": .string(odd)]).json()
        try await TestServer.run(sinks: "[\(entry)]") { server in
            let names = try await metrics(server).keys
            #expect(names.contains { $0.contains(odd) }, "\(names)")
        }
        try? FileManager.default.removeItem(atPath: (odd as NSString).deletingLastPathComponent)
    }

    @Test func `a server without trouble is ready, and alive`() async throws {
        try await TestServer.run(vonage: #"{"talk": ""}"#) { server in
            #expect(try await get(server.http + "/healthz") == (200, Data("alive\n".utf8)))
            let (status, value) = try await readiness(server)
            #expect(status == 200 && value["ready"] == true && texts(value["obstacles"]).isEmpty)
        }
    }

    @Test func `what sinks measure themselves is in the metrics, by their entries`() async throws {
        var registry = SinkRegistry()
        registry.register(MeasuringSink.self)
        let sinks = #"[{"type": "measuring"}, {"type": "measuring", "name": "second"}]"#
        try await TestServer.run(sinks: sinks, registry: registry) { server in
            _ = try await PythonCall(server.cable, pcm: Speech.path).place()
            let recording = try await server.finished()[0]
            let found = try await metrics(server)
            for name in ["measuring", "second"] {
                let label = "{sink=\(name)}"
                #expect(
                    found["callreel_plugin_measuring_frames_total" + label] == Double(recording.framesReceived),
                    "\(found)")
                #expect(found["callreel_plugin_measuring_last" + label] == Double(recording.framesReceived))
                #expect(found["callreel_plugin_measuring_pause_seconds_count" + label] == 1)
                // Neither a name that is none, nor any number of them.
                #expect(!found.keys.contains { $0.contains("no_name") } && found.keys.count { $0.contains("_n6") } < 11)
            }
        }
    }

    @Test func `a sink's own probe decides about calls, and no instance is opened without one`() async throws {
        var registry = SinkRegistry()
        registry.register(ProbedSink.self)
        let directory = TemporaryDirectory(), sign = directory.path + "/sign"
        let sinks = #"[{"type": "probed", "sign": "\#(sign)", "required": true}]"#
        try await TestServer.run(sinks: sinks, registry: registry) { server in
            let reasons = try await eventually("a server that is not ready") {
                let (status, value) = try await readiness(server)
                return status == 503 ? texts(value["obstacles"]) : nil
            }
            #expect(reasons.count == 1 && reasons[0].contains("the service is closed"), "\(reasons)")
            try Data().write(to: URL(fileURLWithPath: sign))
            _ = try await eventually("a server that is ready") {
                try await readiness(server).status == 200 ? true : nil
            }
            #expect(try await PythonCall(server.cable, pcm: Speech.path).place().map(\.code) == [1000])
            // One line for each instance.
            #expect(try await server.finished()[0].sinks[0].details?["openings"] == 1)
        }
    }

    @Test func `calls are refused while a required sink cannot open, and taken when it can again`() async throws {
        let directory = TemporaryDirectory(), place = directory.path + "/archive"
        try Data("in the way".utf8).write(to: URL(fileURLWithPath: place))
        let sinks =
            #"[{"type": "raw"}, {"type": "wav", "name": "archive", "required": true, "directory": "\#(place)"}]"#
        try await TestServer.run(sinks: sinks) { server in
            let reasons = try await eventually("a server that is not ready") {
                let (status, value) = try await readiness(server)
                return status == 503 && value["ready"] == false ? texts(value["obstacles"]) : nil
            }
            #expect(
                reasons.count == 1 && reasons[0].contains("required sink archive") && reasons[0].contains(place),
                "\(reasons)")
            let answer = try await get(server.http + "/webhooks/answer?uuid=u1")
            #expect(answer.status == 503 && String(decoding: answer.body, as: UTF8.self).contains("archive"))
            #expect(try await PythonCall(server.cable).place().map(\.status) == [503])
            #expect(directory.files() == ["archive"] && server.directory.files().isEmpty)
            #expect(try await metrics(server)["callreel_refused_total{reason=sink}"] == 2)
            let shown = try JSONValue(parsing: Data(try await get(server.http + "/api/calls").body))
            #expect(texts(shown["obstacles"]) == reasons)

            try FileManager.default.removeItem(atPath: place)
            _ = try await eventually("a server that is ready again") {
                try await readiness(server).status == 200 ? true : nil
            }
            #expect(try await PythonCall(server.cable, pcm: Speech.path).place().map(\.code) == [1000])
            #expect(try await server.finished()[0].sinks.map(\.state) == [.complete, .complete])
        }
    }

    @Test func `a server with as many calls as it takes is not ready`() async throws {
        try await TestServer.run(more: #", "limits": {"calls": 1}"#) { server in
            #expect(try await readiness(server).status == 200)
            let call = try await PythonCall(server.cable, ["hold": true]).start()
            let (status, value) = try await readiness(server)
            #expect(
                status == 503 && value["ready"] == false
                    && value["obstacles"]?.elements.map { $0["kind"] } == ["calls"], "\(value)")
            #expect(
                texts(try JSONValue(parsing: Data(try await get(server.http + "/api/calls").body))["obstacles"]).count
                    == 1)
            #expect(try await get(server.http + "/webhooks/answer?uuid=u").status == 503)
            call.signal(SIGKILL)
            _ = try await eventually("a server that is ready again") {
                try await readiness(server).status == 200 ? true : nil
            }
        }
    }

    @Test func `strangers learn that calls are not taken, and not where anything is`() async throws {
        let directory = TemporaryDirectory(), place = directory.path + "/archive"
        try Data("in the way".utf8).write(to: URL(fileURLWithPath: place))
        let sinks =
            #"[{"type": "raw", "directory": "\#(place)"}, {"type": "wav", "name": "secret-name", "required": true, "directory": "\#(place)"}]"#
        try await TestServer.run(sinks: sinks, more: #", "access": {"password": "correct horse"}"#) { server in
            func ask(_ more: String...) async throws -> String {
                try await Program("curl").run(
                    ["-s", "--max-time", "20", "-w", " %{http_code}"] + more + [server.http + "/readyz"]
                ).text
            }
            let told = try await eventually("a server that is not ready") {
                let text = try await ask()
                return text.hasSuffix("503") ? text : nil
            }
            #expect(told.contains(#""kind":"sink""#) && !told.contains("/") && !told.contains("secret-name"), "\(told)")
            let known = try await ask("-u", "callreel:correct horse")
            #expect(
                known.hasSuffix("503") && known.contains(place) && known.contains("secret-name")
                    && known.contains("warnings"), "\(known)")
            let answer = try await Program("curl").run([
                "-s", "-w", " %{http_code}", server.http + "/webhooks/answer?uuid=u",
            ]).text
            #expect(answer.hasSuffix("503") && !answer.contains(place) && !answer.contains("secret-name"), "\(answer)")
            let upgrade = ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13"]
            let key = ["-H", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", server.http + server.target]
            let call = try await Program("curl").run(["-s", "--http1.1", "-w", " %{http_code}"] + upgrade + key).text
            #expect(call.hasSuffix("503") && !call.contains(place) && !call.contains("secret-name"), "\(call)")
            // A password here is checked and counted as on every other path.
            let wrong = try await ask("-u", "callreel:wrong horse")
            #expect(wrong.hasSuffix("401") && !wrong.contains(place))
        }
    }

    @Test func `a sink that cannot open and is not required is a warning`() async throws {
        let directory = TemporaryDirectory(), place = directory.path + "/archive"
        try Data("in the way".utf8).write(to: URL(fileURLWithPath: place))
        try await TestServer.run(sinks: #"[{"type": "raw"}, {"type": "wav", "directory": "\#(place)"}]"#) { server in
            let warnings = try await eventually("a warning") {
                let (status, value) = try await readiness(server)
                return status == 200 && !texts(value["warnings"]).isEmpty ? texts(value["warnings"]) : nil
            }
            #expect(warnings[0].contains("the sink wav cannot be opened") && warnings[0].contains(place))
        }
    }

    @Test func `a full disk keeps new calls out, and a running one goes on to its end`() async throws {
        let free = try #require(
            try FileManager.default.attributesOfFileSystem(forPath: NSTemporaryDirectory())[.systemFreeSize]
                as? NSNumber)
        // More free space than any disk has.
        let tooMuch = free.intValue / 1_000_000 * 2 + 1000
        let marks =
            #", "recordings": {"directory": "DIR/recordings", "lowSpace": \#(tooMuch), "criticalSpace": CRITICAL}"#
        for isCritical in [true, false] {
            let directory = TemporaryDirectory()
            let more = marks.replacing("DIR", with: directory.path).replacing(
                "CRITICAL", with: isCritical ? "\(tooMuch)" : "0")
            try await TestServer.run(more: more, in: directory) { server in
                let value = try await eventually("a look at the disk") {
                    let (_, value) = try await readiness(server)
                    return texts(value[isCritical ? "obstacles" : "warnings"]).isEmpty ? nil : value
                }
                let said = texts(value[isCritical ? "obstacles" : "warnings"])
                #expect(said[0].contains("MB are free under \(directory.path)/recordings"), "\(said)")
                #expect(value["ready"] == .boolean(!isCritical))
                #expect(try await get(server.http + "/webhooks/answer?uuid=u1").status == (isCritical ? 503 : 200))
                let ending = try await PythonCall(server.cable, pcm: Speech.path).place()[0]
                #expect(isCritical ? ending.status == 503 : ending.code == 1000)
            }
        }
    }
}

/// A sink that measures.
private struct MeasuringSink: AudioSink {
    static let type = "measuring"
    static let summary = "measures"

    private let context: SinkContext
    private var frames = 0

    init(options: Options, context: SinkContext) { self.context = context }

    mutating func write(_ chunk: borrowing PCMChunk) {
        frames += chunk.frameCount
        context.count("frames", by: chunk.frameCount)
        context.measure("last", Double(frames))
    }

    consuming func finish(_ end: CallEnd) -> SinkReceipt {
        context.measure("pause", .milliseconds(20))
        context.count("no name\n")
        for number in 0..<200 { context.count("n\(number)") }
        return SinkReceipt(frames: frames)
    }
}

/// A sink for a service that is open while a file exists.
private struct ProbedSink: AudioSink {
    struct Options: Configurable {
        var sign = ""

        static let fields: [Field<Self>] = [.string("sign", \.sign, "The file that says whether the service is open.")]
    }

    static let type = "probed"
    static let summary = "looks before it opens"
    private static let openings = Mutex<[String: Int]>([:])

    private let options: Options
    private var frames = 0

    static func probe(options: Options, context: SinkContext) async throws(SinkError) -> ProbeAnswer {
        guard FileManager.default.fileExists(atPath: options.sign) else {
            throw SinkError(.open, "the service is closed")
        }
        return .works
    }

    init(options: Options, context: SinkContext) {
        self.options = options
        Self.openings.withLock { $0[options.sign, default: 0] += 1 }
    }

    mutating func write(_ chunk: borrowing PCMChunk) { frames += chunk.frameCount }

    consuming func finish(_ end: CallEnd) -> SinkReceipt {
        let openings = Self.openings.withLock { $0[options.sign] ?? 0 }
        return SinkReceipt(frames: frames, details: ["openings": .integer(openings)])
    }
}
