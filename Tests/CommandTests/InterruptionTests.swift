import CallreelCore
import Foundation
import TestSupport
import Testing

@Suite struct InterruptionTests {
    /// Makes a directory with calls whose server was killed during the recording.
    private func killedCalls(_ count: Int, configuration: String = RunningServer.configuration) async throws
        -> TemporaryDirectory
    {
        let server = try await RunningServer(configuration: configuration)
        let file = server.directory.path + "/long.wav"
        try await Program("sox").output([Speech.path, file, "repeat", "\(Self.rounds - 1)"])
        let calls = try Program.callreel.start([
            "call", file, "--to", server.url + "/webhooks/answer", "--calls", "\(count)",
        ])
        _ = try await eventually("\(count) calls with some seconds of audio") { () -> Bool? in
            let state = try await JSONValue(parsing: Program("curl").output(["-s", server.url + "/api/calls"]))
            guard case .array(let live) = state["live"], live.count == count else { return nil }
            return live.allSatisfy { ($0["seconds"]?.double ?? 0) > 2.5 } ? true : nil
        }
        server.program.signal(SIGKILL)
        #expect(try await server.program.result().status == 128 + SIGKILL)
        #expect(try await calls.result().status == 1)
        return server.directory
    }

    /// Repetitions of the speech: minutes of it, so that even a slow machine kills a call before its end.
    private static let rounds = 60

    /// The audio sent in the interrupted calls.
    private func speech() async throws -> Data {
        let once = try await Speech.pcm()
        return (0..<Self.rounds).reduce(into: Data()) { pcm, _ in pcm += once }
    }

    /// Bytes by which one sink may lag behind another: each receives the last reads by itself.
    private static let apart = 2 * 2 * 3200

    private func partialFiles(_ directory: TemporaryDirectory, _ ending: String) -> [String] {
        directory.files(in: "recordings/.partial").filter { $0.hasSuffix(ending) }.map {
            directory.path + "/recordings/.partial/" + $0
        }
    }

    @Test func `after a kill every file opens as it stands, and the next start finishes all of them`() async throws {
        let directory = try await killedCalls(5)
        let speech = try await speech()
        // Without any repair, a WAV lags by its last second at most, a FLAC by a block, a raw file not at all.
        var raws: Set<Data> = []
        for raw in partialFiles(directory, ".raw") {
            let pcm = try Data(contentsOf: URL(fileURLWithPath: raw))
            #expect(pcm == speech.prefix(pcm.count) && pcm.count > 64000)
            raws.insert(pcm)
            let stem = raw.dropLast(".raw".count)
            let wav = try await Judge.wavPCM(stem + ".wav", rate: 16000)
            // A second by its checkpoints.
            #expect(wav == speech.prefix(wav.count) && wav.count + Self.apart + 16000 * 2 >= pcm.count)
            #expect(try await Program("sox").run([stem + ".wav", "-n", "stat"]).status == 0)
            let flac = try await Program("flac").output([
                "-d", "-F", "-s", "-c", "--force-raw-format", "--endian=little", "--sign=signed", stem + ".flac",
            ])
            #expect(flac == speech.prefix(flac.count) && flac.count + Self.apart + 2 * 1153 * 2 >= pcm.count)
        }
        #expect(
            partialFiles(directory, ".wav").count == 5 && partialFiles(directory, ".flac").count == 5 && !raws.isEmpty)

        let before = directory.files()
        let dry = try await Program.callreel.run(["repair", directory.path + "/recordings", "--dry-run"])
        #expect(
            dry.status == 0 && dry.text.contains("5 interrupted recordings, 0 problems"), "\(dry.text) \(dry.errors)")
        #expect(directory.files() == before)

        let server = try Program.callreel.start(
            ["serve", "--config", "callreel.json", "--port", "0"], in: directory.path)
        _ = try await eventually("five recovered recordings") {
            directory.files(in: "recordings").count { $0.hasSuffix(".json") && !$0.hasPrefix(".") } == 5 ? true : nil
        }
        for path in directory.files(in: "recordings") where path.hasSuffix(".json") && !path.hasPrefix(".") {
            let recording = try Recording(
                json: Data(contentsOf: URL(fileURLWithPath: directory.path + "/recordings/" + path)))
            #expect(recording.endReason.hasPrefix("interrupted") == true)
            #expect(recording.call.from == "447700900123" && recording.call.uuid != nil)
            #expect(recording.sinks.map(\.state) == [.recovered, .recovered, .recovered])
            let files = recording.sinks.map { directory.path + "/recordings/" + $0.files[0].name }
            // The WAV's header lagged, not its data. The FLAC has lost its unfinished block, and states its length.
            let found = [
                try await Judge.wavPCM(files[0], rate: 16000), try await Judge.flacPCM(files[1]),
                try Data(contentsOf: URL(fileURLWithPath: files[2])),
            ]
            let longest = found.map(\.count).max() ?? 0
            #expect(recording.framesReceived == longest / 2)
            for (sink, (pcm, held)) in zip(recording.sinks, zip(found, [0, 2 * 1153 * 2, 0])) {
                #expect(pcm == speech.prefix(pcm.count) && pcm.count + Self.apart + held >= longest)
                #expect(sink.written == pcm.count / 2 && sink.lost == (longest - pcm.count) / 2)
            }
        }
        server.signal(SIGTERM)
        #expect(try await server.result().status == 0)
        #expect(directory.files(in: "recordings/.partial").isEmpty)
        let verified = try await Program.callreel.run(["verify", directory.path + "/recordings"])
        #expect(verified.status == 0, "\(verified.errors)")
    }

    @Test func `a program that outlives a killed server changes nothing that is published`() async throws {
        // The program never ends, and goes on writing to its open file.
        let script =
            #"trap '' PIPE; echo $$ > pid; exec 3> \"$1\"; cat >&3; while :; do echo late >&3; sleep 0.02; done"#
        let command = #"["sh", "-c", "\#(script)", "sh", "{output}"]"#
        let directory = try await killedCalls(
            1,
            configuration:
                #"{"sinks": [{"type": "raw"}, {"type": "exec", "command": \#(command), "input": "pcm", "extension": "out"}]}"#
        )
        let text = try String(contentsOfFile: directory.path + "/pid", encoding: .utf8)
        let pid = try #require(pid_t(text.trimmingCharacters(in: .newlines)))
        defer { kill(pid, SIGKILL) }
        let repair = try await Program.callreel.run(["repair", directory.path + "/recordings"])
        #expect(repair.status == 0, "\(repair.text) \(repair.errors)")
        let published = directory.files(in: "recordings").filter { !$0.hasPrefix(".") }.map {
            ($0 as NSString).pathExtension
        }
        #expect(published.sorted() == ["json", "out", "raw"])
        #expect(directory.files(in: "recordings/.partial").isEmpty)
        for _ in 0..<2 {
            let verified = try await Program.callreel.run(["verify", directory.path + "/recordings"])
            #expect(verified.status == 0, "\(verified.text) \(verified.errors)")
            try await Task.sleep(for: .milliseconds(500))
            #expect(kill(pid, 0) == 0, "it should still be there, and write")
        }
    }

    @Test func `a repair that is killed again and again comes to the same end`() async throws {
        let directory = try await killedCalls(4)
        let place = directory.path + "/recordings"
        let raws = try partialFiles(directory, ".raw").map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
        for milliseconds in [5, 10, 15, 20, 30, 40, 60, 80, 120] {
            let repair = try Program.callreel.start(["repair", place])
            try await Task.sleep(for: .milliseconds(milliseconds))
            repair.signal(SIGKILL)
            _ = try await repair.result()
        }
        let last = try await Program.callreel.run(["repair", place])
        #expect(last.status == 0, "\(last.text) \(last.errors)")
        let published = directory.files(in: "recordings").filter { !$0.hasPrefix(".") }
        #expect(published.count == 16)
        let kept = try published.filter { $0.hasSuffix(".raw") }.map {
            try Data(contentsOf: URL(fileURLWithPath: place + "/" + $0))
        }
        #expect(kept.map(\.count).sorted() == raws.map(\.count).sorted())
        let verified = try await Program.callreel.run(["verify", place])
        #expect(verified.status == 0 && verified.text.contains("unfinished  0"), "\(verified.text) \(verified.errors)")
    }

    @Test func `what cannot be understood stays where it is and is named`() async throws {
        let directory = try await killedCalls(1)
        let place = directory.path + "/recordings"
        let raw = try #require(partialFiles(directory, ".raw").first)
        let folder = (raw as NSString).deletingLastPathComponent
        try Data("what is this?".utf8).write(to: URL(fileURLWithPath: folder + "/stranger.bin"))
        try Data("not a FLAC file at all, but long enough to be taken for something".utf8)
            .write(to: URL(fileURLWithPath: try #require(partialFiles(directory, ".flac").first)))
        let orphan = place + "/.partial/" + String(repeating: "a", count: 32)
        try FileManager.default.createDirectory(atPath: orphan, withIntermediateDirectories: true)
        try Data("no manifest".utf8).write(to: URL(fileURLWithPath: orphan + "/x.wav"))
        for isFirst in [true, false] {
            let result = try await Program.callreel.run(["repair", place])
            #expect(result.status == 1)
            #expect(result.text.contains("was published before") == !isFirst, "\(result.text)")
            #expect(
                result.errors.contains("stranger.bin") && result.errors.contains(".flac")
                    && result.errors.contains("has no readable manifest"),
                "\(result.errors)")
            #expect(FileManager.default.fileExists(atPath: folder + "/stranger.bin"))
            #expect(FileManager.default.fileExists(atPath: orphan + "/x.wav"))
            #expect(partialFiles(directory, ".flac").count == 1)
        }
        let published = directory.files(in: "recordings").filter { !$0.hasPrefix(".") }
        #expect(published.map { ($0 as NSString).pathExtension } == ["json", "raw", "wav"])
        let recording = try Recording(json: Data(contentsOf: URL(fileURLWithPath: place + "/" + published[0])))
        #expect(recording.sinks.map(\.state) == [.recovered, .failed, .recovered])

        #expect(try await Program.callreel.run(["repair", place, "--settle", "soon"]).status == 64)
        let settled = try await Program.callreel.run(["repair", place, "--settle", "all"])
        #expect(
            settled.status == 0 && settled.text.contains("stranger.bin: moved to \(place)/.callreel/unrepaired/"),
            "\(settled.text)")
        let again = try await Program.callreel.run(["repair", place])
        #expect(
            again.status == 0 && again.text.contains("0 interrupted recordings, 0 problems"),
            "\(again.text) \(again.errors)")
        let aside = directory.files(in: "recordings/.callreel/unrepaired").map { ($0 as NSString).lastPathComponent }
        #expect(aside.count == 3 && aside.contains("stranger.bin") && aside.contains("x.wav"), "\(aside)")
        let strict = try await Program.callreel.run(["verify", place, "--strict"])
        #expect(
            strict.status == 1 && strict.text.contains("incomplete  1") && strict.text.contains("problems    0"),
            "\(strict.text) \(strict.errors)")
        #expect(try await Program.callreel.run(["verify", place]).status == 0)
    }

    @Test func `verify takes an empty or mistaken directory for no archive`() async throws {
        let directory = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path + "/empty", withIntermediateDirectories: true)
        for place in ["empty", "missing"] {
            let result = try await Program.callreel.run(["verify", directory.path + "/" + place])
            #expect(
                result.status == 1 && result.errors.contains(place) && !result.text.contains("problems"),
                "\(result.text) \(result.errors)")
        }
        // A directory that a recorder has begun to use is an archive. `verify` notes that it has no recording.
        try FileManager.default.createDirectory(
            atPath: directory.path + "/empty/.partial", withIntermediateDirectories: true)
        let begun = try await Program.callreel.run(["verify", directory.path + "/empty"])
        #expect(begun.status == 0 && begun.errors.contains("no published recording"))
    }

    @Test func `verify finds whatever is done to an archive`() async throws {
        let directory = TemporaryDirectory()
        try RunningServer.configuration.write(toFile: directory.path + "/c.json", atomically: true, encoding: .utf8)
        for _ in 0..<2 {
            let result = try await Program.callreel.run(
                ["replay", Speech.path, "--config", "c.json"], in: directory.path)
            #expect(result.status == 0, "\(result.errors)")
        }
        let place = directory.path + "/recordings"
        func verify() async throws -> Program.Result { try await Program.callreel.run(["verify", place]) }
        let clean = try await verify()
        #expect(
            clean.status == 0 && clean.text.contains("6, 6 of them decoded") && clean.errors.isEmpty,
            "\(clean.text) \(clean.errors)")

        let names = directory.files(in: "recordings").filter { !$0.hasPrefix(".") }
        func file(_ ending: String, _ number: Int) throws -> String {
            place + "/" + names.filter { $0.hasSuffix(ending) }[number]
        }
        func spoil(_ path: String, naming reason: String, _ change: () throws -> Void) async throws {
            let original = FileManager.default.contents(atPath: path)
            try change()
            let result = try await verify()
            #expect(result.status == 1)
            let name = String(path.dropFirst(place.count + 1))
            #expect(
                result.errors.contains(name) && result.errors.contains(reason), "\(name) \(reason): \(result.errors)")
            if let original {
                try original.write(to: URL(fileURLWithPath: path))
            } else {
                try FileManager.default.removeItem(atPath: path)
            }
        }
        for ending in [".wav", ".flac", ".raw"] {
            let path = try file(ending, 0), whole = try Data(contentsOf: URL(fileURLWithPath: path))
            try await spoil(path, naming: "SHA-256") {
                var flipped = whole
                flipped[whole.count / 2] ^= 1
                try flipped.write(to: URL(fileURLWithPath: path))
            }
            try await spoil(path, naming: "bytes") { try whole.dropLast(1000).write(to: URL(fileURLWithPath: path)) }
            try await spoil(path, naming: "No such file") { try FileManager.default.removeItem(atPath: path) }
        }
        try await spoil(try file(".flac", 0), naming: "SHA-256") {
            try Data(contentsOf: URL(fileURLWithPath: try file(".wav", 1))).write(
                to: URL(fileURLWithPath: try file(".flac", 0)))
        }
        try await spoil(place + "/extra.wav", naming: "not named in any manifest") {
            try Data("x".utf8).write(to: URL(fileURLWithPath: place + "/extra.wav"))
        }
        let manifest = try file(".json", 1), text = try String(contentsOfFile: manifest, encoding: .utf8)
        try await spoil(manifest, naming: "not a manifest") {
            try "{}".write(toFile: manifest, atomically: true, encoding: .utf8)
        }
        try await spoil(manifest, naming: "do not add up") {
            try text.replacingOccurrences(of: "\"lost\" : 0", with: "\"lost\" : 3").write(
                toFile: manifest, atomically: true, encoding: .utf8)
        }
        try FileManager.default.removeItem(atPath: manifest)
        let orphans = try await verify()
        #expect(
            orphans.status == 1
                && orphans.errors.split(separator: "\n").count { $0.contains("not named in any manifest") } == 3)
    }
}
