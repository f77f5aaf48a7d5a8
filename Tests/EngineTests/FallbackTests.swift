import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct FallbackTests {
    /// Returns a sink entry for these directories of a workspace.
    private func places(_ bench: Workspace, _ rest: String = "") -> String {
        #"{"directory": "\#(bench.file("first"))", "fallback": "\#(bench.file("second"))"\#(rest)}"#
    }

    private func samples(_ file: Recording.File) throws -> [Int16] {
        var assembler = LinearPCMAssembler(format: .telephone)
        assembler.append(
            try Data(contentsOf: URL(fileURLWithPath: try #require(file.directory) + "/" + file.name)).bytes)
        return assembler.takeSamples() ?? []
    }

    @Test func `a sink that cannot open in its directory goes to its fallback, and nothing is missing`() async throws {
        let elsewhere = try Workspace()
        try elsewhere.plant("first", "not a directory")
        let bench = try CallBench([(Probe(), places(elsewhere, #", "required": true"#)), (Probe(), "{}")])
        for _ in 0..<10 { bench.receive(160) }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.state) == [.complete, .complete])
        #expect(recording.endReason == "over")
        #expect(recording.sinks[0].error?.contains(elsewhere.file("first")) == true)
        #expect(recording.sinks[0].files.map(\.directory) == [elsewhere.file("second")])
        #expect(try samples(recording.sinks[0].files[0]) == ramp(0..<1600))
        #expect(bench.recorder.stations[0].health.problem == nil)
        #expect(bench.log.values.contains("sink failed: continuing in its fallback"))
        #expect(try elsewhere.files() == ["first", "second/.partial", "second/call.fallback.pcm"])
    }

    @Test(arguments: [Moment.write, .thirdWrite, .checkpoint])
    func `a sink that fails in the middle goes on in its fallback from the first frame that is not in its file`(
        moment: Moment
    ) async throws {
        let elsewhere = try Workspace()
        let bench = try CallBench([
            (Probe(), places(elsewhere, #", "fails": "\#(moment)", "failsOnce": true, "holds": 200"#)), (Probe(), "{}"),
        ])
        try await until("it has failed") {
            bench.receive(160)
            bench.session.tick(now: farFuture)
            return bench.log.values.contains("sink failed: continuing in its fallback")
        }
        for _ in 0..<10 { bench.receive(160) }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.state) == [.complete, .complete])
        #expect(recording.sinks[0].error?.contains("told to fail") == true)
        let isWhole = try recording.sinks[0].files.flatMap(samples) == ramp(0..<recording.framesReceived)
        #expect(isWhole)
        #expect(recording.sinks[0].files.compactMap(\.frames).reduce(0, +) == recording.framesReceived)
        #expect(recording.sinks[0].files.last?.directory == elsewhere.file("second"))
    }

    @Test func `when the fallback fails too, both reasons are told and the loss is counted`() async throws {
        let elsewhere = try Workspace()
        let bench = try CallBench([(Probe(), places(elsewhere, #", "fails": "thirdWrite""#)), (Probe(), "{}")])
        for _ in 0..<20 { bench.receive(160) }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(recording.sinks.map(\.state) == [.failed, .complete])
        let error = try #require(recording.sinks[0].error)
        #expect(error.contains("then, in its fallback: told to fail in thirdWrite"))
        #expect(recording.sinks[0].files.map(\.frames) == [320, 320])
        #expect(try recording.sinks[0].files.flatMap(samples) == ramp(0..<640))
        #expect(recording.sinks[0].lost == 3200 - 640)
        #expect(
            try elsewhere.files() == [
                "first/.partial", "first/call.pcm", "second/.partial", "second/call.fallback.pcm",
            ])
    }

    @Test func `nothing is left where nothing could be written`() async throws {
        let elsewhere = try Workspace()
        let bench = try CallBench([(Probe(), places(elsewhere, #", "fails": "open""#)), (Probe(), "{}")])
        bench.receive(160)
        let recording = try await bench.end()
        #expect(recording.sinks.map(\.state) == [.failed, .complete])
        #expect(try elsewhere.files() == ["first/.partial", "second/.partial"])
        #expect(try bench.workspace.files() == [".partial", "call.json", "call.probe-2.pcm"])
    }

    @Test func `an end that fails is not tried again`() async throws {
        let elsewhere = try Workspace()
        let bench = try CallBench([(Probe(), places(elsewhere, #", "fails": "finish""#))])
        bench.receive(160)
        let recording = try await bench.end()
        #expect(recording.sinks[0].state == .failed)
        #expect(recording.sinks[0].written == 160)
        #expect(!FileManager.default.fileExists(atPath: elsewhere.file("second")))
    }

    /// The two files together are the call's timeline, wherever the first place fails, and with gaps anywhere.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func `gaps and failures in any order leave a timeline without a hole`(seed: UInt64) async throws {
        var random = Generator(state: seed)
        let bench = QueueBench()
        var expected: [Int16] = []
        var next = 0, writes = 0
        // Full, so that the sink stalls. A gap follows, and then there is free space again.
        while next < 4000 {
            let frames = Int.random(in: 1...700, using: &random)
            _ = bench.push(frames)
            expected += ramp(next..<next + frames)
            next += frames
            writes += 1
        }
        _ = bench.queue.tick(now: farFuture)
        let gap = Int.random(in: 1...20_000, using: &random)
        _ = bench.push(gap)
        expected += [Int16](repeating: 0, count: gap)
        next += gap
        writes += (gap + 7999) / 8000
        bench.queue.close("the caller hung up")
        let probe = Probe(), workspace = try Workspace(), fallback = try Workspace()
        var options = ProbeOptions()
        options.probe = probe.name
        options.holds = Int.random(in: 0...3000, using: &random)
        options.failsAtWrite = Int.random(in: 1...writes, using: &random)
        options.failsOnce = true
        let job = SinkJob(
            places: [workspace.place(), fallback.place(stem: "fallback")], queue: bench.queue)
        let report = await SinkService<ProbeSink>.run(options, job)
        #expect(report.isFinished)
        #expect(report.error?.description == "told to fail at write \(options.failsAtWrite)")
        let parts = [workspace.file("call.pcm"), fallback.file("fallback.pcm")].compactMap {
            FileManager.default.contents(atPath: $0)
        }
        var assembler = LinearPCMAssembler(format: .telephone)
        for part in parts { assembler.append(part.bytes) }
        let found = assembler.takeSamples() ?? []
        let isWhole = found == expected
        #expect(isWhole, "\(found.count) of \(expected.count) frames")
        #expect(report.written == expected.count - gap)
        #expect(report.silence == gap)
        #expect(report.files.compactMap(\.frames).reduce(0, +) == expected.count)
    }
}
