import CallreelCore
import Foundation

extension Scenario {
    static let fill = Scenario(
        name: "fill", summary: "disks that become full during a call, beside a disk with free space"
    ) { bench in
        try FileManager.default.createDirectory(atPath: bench.directory, withIntermediateDirectories: true)
        let disk = try await SmallDisk.available(in: bench.directory)
        var report = Report(notes: ["fill: " + disk.description])
        report.rows = try await Self.fillSinks(disk, bench)
        if case .mounts = disk { report.rows += try await Self.fillRecordings(disk, bench) }
        return report
    }

    /// Sinks on full disks, and the same types on a healthy one.
    private static func fillSinks(_ disk: SmallDisk, _ bench: Bench) async throws -> [Row] {
        var settings = ServerProcess.Settings()
        var full: [(name: String, place: String)] = []
        var healthy = ["wav", "flac", "raw"]
        var seconds = 20.0
        switch disk {
        case .mounts:
            for type in ["wav", "flac", "raw"] {
                let place = bench.directory + "/small-" + type
                try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
                settings.sinks.append(
                    .object(["type": .string(type), "name": .string("full-" + type), "directory": .string(place)]))
                full.append(("full-" + type, place))
            }
            settings.wrapper = disk.wrapper(for: full.map(\.place))
        case .limit:
            // The limit applies to every file. For the same audio, only files with twice as many bytes reach it.
            seconds = 10
            healthy = ["flac"]
            settings.sinks = [.object(["type": "flac"])]
            for type in ["wav", "raw"] {
                settings.sinks.append(.object(["type": .string(type), "name": .string("full-" + type)]))
                full.append(("full-" + type, bench.directory + "/recordings"))
            }
            settings.fileLimit = SmallDisk.size
        }
        let server = try await ServerProcess(in: bench.directory, settings, fault: bench.fault)
        let call = try await TestCall.open(1, to: server)
        try await call.send(TestSignal.format.frames(seconds: seconds), .maximum)
        let code = try await call.hangUp()
        let found = try await server.published(1)
        for (_, place) in full { try disk.bringOut(place, of: server) }
        try bench.fault?.spoil(found)
        guard let published = try PublishedCall.all(in: server.recordings).first else {
            throw SelfTestError("the recording is missing")
        }
        var rows: [Row] = []
        for name in healthy {
            var row = Row("fill", "\(name), beside full disks")
            published.check(name, sent: call.sent, into: &row)
            rows.append(row)
        }
        // Three quarters of the space must hold audio. File headers and the writer's buffer take the rest.
        let least = SmallDisk.size * 3 / 4 / TestSignal.format.bytesPerFrame
        for (name, _) in full { rows.append(await filled(name, name, published, call, server, atLeast: least)) }
        var run = Row("fill", "the server", calls: 1)
        run.expect(code == 1000, "the call was closed with \(code.map(String.init) ?? "no code")")
        let status = try await server.stop()
        run.expect(status == 0, "SIGTERM ended the server with \(status)")
        run.problems += try await Verifier.problems(in: server.recordings)
        return rows + [run]
    }

    /// A full disk under the recordings directory itself: every sink fails, and the recording is still published.
    private static func fillRecordings(_ disk: SmallDisk, _ bench: Bench) async throws -> [Row] {
        let directory = bench.directory + "/home"
        try FileManager.default.createDirectory(atPath: directory + "/recordings", withIntermediateDirectories: true)
        var settings = ServerProcess.Settings()
        settings.sections = ["recordings": .object(["directory": "recordings", "lowSpace": 0, "criticalSpace": 0])]
        settings.wrapper = disk.wrapper(for: [directory + "/recordings"])
        let server = try await ServerProcess(in: directory, settings, fault: bench.fault)
        let call = try await TestCall.open(1, to: server)
        try await call.send(TestSignal.format.frames(seconds: 20), .maximum)
        let code = try await call.hangUp()
        _ = try await eventually("the recording on a full disk") {
            try await server.metric("callreel_calls_recorded_total") == 1 ? true : nil
        }
        try disk.bringOut(server.recordings, of: server)
        try bench.fault?.spoil(try PublishedCall.all(in: server.recordings))
        var rows: [Row] = []
        guard let published = try PublishedCall.all(in: server.recordings).first else {
            throw SelfTestError("there is no manifest on the full disk")
        }
        // Three sinks share the disk, in unknown parts.
        for name in ["wav", "flac", "raw"] {
            rows.append(await filled(name, "\(name), full recordings", published, call, server, atLeast: 0))
        }
        var run = Row("fill", "the server, full recordings", calls: 1)
        let bytes = published.recording.sinks.flatMap(\.files).reduce(0) { $0 + $1.bytes }
        run.expect(bytes >= SmallDisk.size * 3 / 4, "the files have \(bytes) bytes together, but \(SmallDisk.size) fit")
        run.expect(code == 1000, "the call was closed with \(code.map(String.init) ?? "no code")")
        let status = try await server.stop()
        run.expect(status == 0, "SIGTERM ended the server with \(status)")
        run.problems += try await Verifier.problems(in: server.recordings)
        return rows + [run]
    }

    /// Checks a sink whose disk was full.
    ///
    /// The file must open and hold the beginning of the call. The manifest must count the rest to the frame.
    private static func filled(
        _ name: String, _ title: String, _ published: PublishedCall, _ call: TestCall, _ server: ServerProcess,
        atLeast least: Int
    ) async -> Row {
        var row = Row("fill", title)
        guard let sink = published.sink(name) else {
            row.problems = ["the manifest has no such sink"]
            return row
        }
        published.check(name, sent: call.sent, allowed: call.sent - least, state: .failed, into: &row)
        row.expect(sink.lost > 0, "no frame is lost, so the disk was not full")
        row.expect(
            sink.error?.contains("No space left") == true || sink.error?.contains("File too large") == true,
            "the error is \(sink.error ?? "none")")
        await row.expect(server, "callreel_sink_frames_lost_total", sink: name, is: sink.lost)
        await row.expect(server, "callreel_sink_frames_written_total", sink: name, is: sink.written)
        let files = sink.files.map { (path: published.path(of: $0), signal: call.signal, frames: $0.frames ?? 0) }
        row.problems += await Jury(finished: true).problems(of: files).flatMap(\.self)
        return row
    }
}
