import CallreelCore
import Foundation

extension Scenario {
    static let fill = Scenario(name: "fill", summary: "disks that are full in the middle of a call, beside one that is not") { bench in
        try FileManager.default.createDirectory(atPath: bench.directory, withIntermediateDirectories: true)
        let disk = try await SmallDisk.available(in: bench.directory)
        var report = Report(notes: ["fill: " + disk.description])
        report.rows = try await Self.fillSinks(disk, bench)
        return report
    }

    /// Sinks on full disks, and the same on a healthy one.
    private static func fillSinks(_ disk: SmallDisk, _ bench: Bench) async throws -> [Row] {
        var settings = ServerProcess.Settings()
        var full: [(name: String, place: String)] = []
        var seconds = 20.0
        switch disk {
        case .mounts:
            for type in ["wav", "flac", "raw"] {
                let place = bench.directory + "/small-" + type
                try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
                settings.sinks.append(.object(["type": .string(type), "name": .string("full-" + type), "directory": .string(place)]))
                full.append(("full-" + type, place))
            }
            settings.wrapper = disk.wrapper(for: full.map(\.place))
        case .limit:
            // The limit is on every file: of the same audio only the one with twice as many bytes meets it.
            seconds = 5
            settings.sinks.append(.object(["type": "wav", "name": "full-wav", "encoding": "float"]))
            full.append(("full-wav", bench.directory + "/recordings"))
            settings.fileLimit = SmallDisk.size
        }
        let server = try await ServerProcess(in: bench.directory, settings, fault: bench.fault)
        let call = try await TestCall.open(1, to: server)
        try await call.send(TestSignal.format.frames(seconds: seconds), .maximum)
        let code = try await call.hangUp()
        let found = try await server.published(1)
        for (_, place) in full { try disk.bringOut(place, of: server) }
        try bench.fault?.spoil(found)
        guard let published = try PublishedCall.all(in: server.recordings).first else { throw SelfTestError("the recording has gone") }
        var rows: [Row] = []
        for name in ["wav", "flac", "raw"] {
            var row = Row("fill", "\(name), beside full disks")
            published.check(name, sent: call.sent, into: &row)
            rows.append(row)
        }
        for (name, _) in full { rows.append(await filled(name, published, call, server, bytesPerFrame: settings.fileLimit == nil ? 2 : 4)) }
        var run = Row("fill", "the server", calls: 1)
        run.expect(code == 1000, "the call was closed with \(code.map(String.init) ?? "nothing")")
        let status = try await server.stop()
        run.expect(status == 0, "SIGTERM ended the server with \(status)")
        run.problems += try await Verifier.problems(in: server.recordings)
        return rows + [run]
    }

    /// A sink whose disk was full: what is there is the beginning of the call and opens, and the rest is counted to the frame.
    private static func filled(
        _ name: String, _ published: PublishedCall, _ call: TestCall, _ server: ServerProcess, bytesPerFrame: Int
    ) async -> Row {
        var row = Row("fill", name)
        guard let sink = published.sink(name) else {
            row.problems = ["the manifest has no such sink"]
            return row
        }
        // Three quarters of what fits must be there: the rest is the file's own, and whatever the writer held.
        let least = min(call.sent, SmallDisk.size * 3 / 4 / bytesPerFrame)
        published.check(name, sent: call.sent, allowed: call.sent - least, state: .failed, into: &row)
        row.expect(sink.lost > 0, "nothing is lost, so the disk was not full")
        row.expect(
            sink.error?.contains("No space left") == true || sink.error?.contains("File too large") == true, "the error is \(sink.error ?? "none")")
        await row.expect(server, "callreel_sink_frames_lost_total", sink: name, is: sink.lost)
        await row.expect(server, "callreel_sink_frames_written_total", sink: name, is: sink.written)
        let files = sink.files.map { (path: published.path(of: $0), signal: call.signal, frames: $0.frames ?? 0) }
        row.problems += await Jury(finished: true).problems(of: files).flatMap(\.self)
        return row
    }
}
