import CallreelCore
import Foundation

extension Scenario {
    static let retry = Scenario(
        name: "retry", summary: "a full disk at a call's end, with free space again some seconds later"
    ) { bench in
        guard let space = try await MountSpace.available(in: bench.directory) else {
            return .notRun("retry", MountSpace.isNeeded)
        }
        let disk = try DiskOfItsOwn(in: bench, space, "size=8m")
        let server = try await disk.start()
        let call = try await TestCall.open(1, to: server)
        try await call.send(TestSignal.format.frames(seconds: 2), .live)
        _ = try await eventually("all audio at the server") {
            try await server.liveCalls()["1"] == call.sent ? true : nil
        }
        // Gives the sinks a moment. Afterwards, for some seconds, any space set free is taken at once.
        try await Task.sleep(for: .seconds(1))
        let place = server.recordings
        async let filling: Void = space.run(
            "end=$(($(date +%s) + 5)); while [ $(date +%s) -lt $end ]; do "
                + "cat /dev/zero >> '\(place)/.filler' 2> /dev/null; done; rm '\(place)/.filler'",
            in: server)
        try await Task.sleep(for: .seconds(1))
        let code = try await call.hangUp()
        try await filling
        var run = Row("retry", "the server", calls: 1)
        do {
            _ = try await eventually("a published call once there is room", seconds: 60) {
                try await server.metric("callreel_calls_recorded_total") == 1 ? true : nil
            }
        } catch {
            run.problems.append("\(error)")
        }
        try server.bringOut(server.recordings)
        try bench.fault?.spoil(try PublishedCall.all(in: server.recordings))
        let status = try await server.stop()
        run.expect(status == 0, "SIGTERM ended the server with \(status)")
        run.expect(code == 1000, "the call was closed with \(code.map(String.init) ?? "no code")")
        var report = Report()
        guard let published = try PublishedCall.all(in: server.recordings).first else {
            run.problems.append("the call is not published")
            return Report(rows: [run])
        }
        run.expect(
            published.recording.endReason == "the carrier closed the call",
            "the call ended because \(published.recording.endReason)")
        for name in ["wav", "raw"] {
            var row = Row("retry", "\(name), published late")
            published.check(name, sent: call.sent, into: &row)
            report.rows.append(row)
        }
        report.rows.append(run)
        return report
    }

    static let rehearsal = Scenario(
        name: "rehearsal",
        summary:
            "a disk that becomes read-only, or has no inode left, between two calls; readiness reports it, and recovers"
    ) { bench in
        guard let space = try await MountSpace.available(in: bench.directory) else {
            return .notRun("rehearsal", MountSpace.isNeeded)
        }
        let disk = try DiskOfItsOwn(in: bench, space, "size=8m,nr_inodes=200")
        let server = try await disk.start()
        let place = server.recordings
        var report = Report()
        for (title, spoil, mend) in [
            ("a read-only disk", "mount -o remount,ro '\(place)'", "mount -o remount,rw '\(place)'"),
            (
                "a disk without inodes", "i=0; while touch '\(place)/.f'$i 2> /dev/null; do i=$((i + 1)); done",
                "rm -f '\(place)/.f'*"
            ),
        ] {
            var row = Row("rehearsal", title, calls: 1)
            try await space.run(spoil, in: server)
            row.problems += await server.becomesUnready(title)
            try await space.run(mend, in: server)
            row.problems += await server.becomesReady(title)
            report.rows.append(row)
        }
        let call = try await TestCall.open(1, to: server)
        try await call.send(TestSignal.format.frames(seconds: 1), .live)
        _ = try await call.hangUp()
        _ = try await eventually("the call after it") {
            try await server.metric("callreel_calls_recorded_total") == 1 ? true : nil
        }
        try server.bringOut(place)
        try bench.fault?.spoil(try PublishedCall.all(in: place))
        for name in ["wav", "flac", "raw"] {
            var row = Row("rehearsal", "\(name), afterwards")
            try PublishedCall.all(in: place).first?.check(name, sent: call.sent, into: &row)
            let calls = row.calls
            row.expect(calls == 1, "the call is not published")
            report.rows.append(row)
        }
        let status = try await server.stop()
        report.rows[0].expect(status == 0, "SIGTERM ended the server with \(status)")
        return report
    }

    static let unmounted = Scenario(
        name: "unmounted",
        summary: "a disk unmounted while the server runs, and a disk not mounted yet at the next start"
    ) { bench in
        guard let space = try await MountSpace.available(in: bench.directory) else {
            return .notRun("unmounted", MountSpace.isNeeded)
        }
        async let under = Self.unmountedUnder(space, bench)
        async let later = Self.mountedLater(space, bench)
        return Report(rows: try await under + later)
    }

    /// The recordings' disk goes and comes back while the server runs.
    private static func unmountedUnder(_ space: MountSpace, _ bench: Bench) async throws -> [Row] {
        let disk = try DiskOfItsOwn(in: bench, space, "size=8m", name: "under")
        let server = try await disk.start()
        let place = server.recordings
        var row = Row("unmounted", "recordings, while the server runs", calls: 1)
        try await space.run("umount -l '\(place)'", in: server)
        row.problems += await server.becomesUnready("an unmounted disk")
        do {
            let call = try await within(20, "an answer to a call without its disk") {
                try await TestCall.open(1, to: server)
            }
            await call.drop()
            row.problems.append("the server accepts a call, though its disk is unmounted")
        } catch {}
        let left = try FileManager.default.subpathsOfDirectory(
            atPath: "/proc/\(server.process.identifier)/root" + place)
        row.expect(left.isEmpty, "the server wrote into the empty mount point: \(left.prefix(4))")
        try await space.run("mount --bind '\(disk.disk)' '\(place)'", in: server)
        row.problems += await server.becomesReady("a disk that is mounted again")
        let status = try await server.stop()
        row.expect(status == 0, "SIGTERM ended the server with \(status)")
        return [row]
    }

    /// A sink's disk is not yet mounted when a killed server starts again.
    private static func mountedLater(_ space: MountSpace, _ bench: Bench) async throws -> [Row] {
        let home = bench.directory + "/later", place = home + "/other", disk = home + "/disk"
        for path in [place, disk] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        var settings = ServerProcess.Settings()
        settings.sinks = [
            .object(["type": "raw"]), .object(["type": "wav", "name": "other", "directory": .string(place)]),
        ]
        var mounted = settings
        mounted.wrapper = space.wrapper("mount --bind '\(disk)' '\(place)'")
        let server = try await ServerProcess(in: home, mounted, fault: bench.fault)
        let call = try await TestCall.open(1, to: server)
        try await call.send(TestSignal.format.frames(seconds: 3), .live)
        _ = try await eventually("all audio at the server") {
            try await server.liveCalls()["1"] == call.sent ? true : nil
        }
        try await Task.sleep(for: .seconds(1))
        server.process.signal(SIGKILL)
        _ = try await server.process.result()

        var row = Row("unmounted", "a sink's disk, at the next start")
        let without = try await ServerProcess(in: home, settings, fault: bench.fault)
        // Long enough for the recovery of one call.
        try await Task.sleep(for: .seconds(4))
        row.expect(
            try PublishedCall.all(in: server.recordings).isEmpty,
            "the call is published without the file on the missing disk")
        _ = try await without.stop()
        let with = try await ServerProcess(in: home, mounted, fault: bench.fault)
        let found = try await eventually("the call, once its disk is there", seconds: 60) {
            try PublishedCall.all(in: server.recordings).first
        }
        _ = try await with.stop()
        guard let sink = found.sink("other"), let file = sink.files.first else {
            row.add(sent: call.sent, held: 0, allowed: call.sent, problem: "the published call has no file of the sink")
            return [row]
        }
        let samples = try AudioContent.samples(disk + "/" + file.name)
        row.add(sent: call.sent, held: samples.count, allowed: TestSignal.format.frames(seconds: 1))
        if let frame = call.signal.firstDifference(in: samples) {
            row.problems.append("frame \(frame) differs from the sent audio")
        }
        return [row]
    }
}

/// A server whose recordings are on a small file system in memory.
private struct DiskOfItsOwn {
    /// The server's directory.
    let home: String
    /// A second path to the same file system.
    let disk: String
    private var settings = ServerProcess.Settings()
    private let bench: Bench

    init(in bench: Bench, _ space: MountSpace, _ options: String, name: String = "home") throws {
        self.bench = bench
        home = bench.directory + "/" + name
        disk = home + "/disk"
        for path in [disk, home + "/recordings"] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        settings.sections = ["recordings": .object(["directory": "recordings", "lowSpace": 0, "criticalSpace": 0])]
        settings.wrapper = space.wrapper(
            "mount -t tmpfs -o \(options) callreel-selftest '\(disk)' && mount --bind '\(disk)' '\(home)/recordings'")
    }

    func start() async throws -> ServerProcess { try await ServerProcess(in: home, settings, fault: bench.fault) }
}

extension ServerProcess {
    /// Waits until the server takes no calls any more. Returns the problem if it goes on taking them.
    func becomesUnready(_ why: String) async -> [String] {
        do {
            let text = try await eventually("/readyz with 503 for \(why)", seconds: 40) {
                let found = try await readiness()
                return found.isReady ? nil : found.text
            }
            return text.contains("obstacles") && !text.contains("\"obstacles\":[]")
                ? [] : ["/readyz does not state the reason: \(text)"]
        } catch {
            return ["\(error)"]
        }
    }

    /// Waits until the server takes calls again. Returns the problem if it does not.
    func becomesReady(_ why: String) async -> [String] {
        do {
            _ = try await eventually("/readyz with 200 after \(why)", seconds: 40) {
                try await readiness().isReady ? true : nil
            }
            return []
        } catch {
            return ["\(error)"]
        }
    }
}
