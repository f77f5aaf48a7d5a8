import CallreelFilters
import CallreelSinks
import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// Filters between a call and one of its sinks: the account, failures, parts, pauses and recovery.
@Suite struct FilteredSinkTests {
    /// Keeps the ramp, but for the frames of each thousand from 200 to 700. Holds 50 frames back.
    struct Holes: AudioFilter {
        static let type = "holes"
        static let summary = "cuts half of the frames"
        private var held: [PCMChunk] = []

        init(options: NoOptions, format: AudioFormat) {}

        static func isCut(_ frame: Int) -> Bool { 200..<700 ~= frame % 1000 }

        mutating func apply(_ chunk: PCMChunk, to output: inout FilterOutput) {
            held.append(chunk)
            pass(to: max(0, chunk.end.frames - 50), &output)
        }

        mutating func finish(to output: inout FilterOutput) { pass(to: .max, &output) }

        private mutating func pass(to end: Int, _ output: inout FilterOutput) {
            while let chunk = held.first, chunk.start.frames < end {
                held.removeFirst()
                let count = min(chunk.frameCount, end - chunk.start.frames)
                for index in 0..<count {
                    let frame = chunk.start + index
                    if Self.isCut(frame.frames) {
                        output.cut(to: frame + 1)
                    } else {
                        output.keep(chunk.frames(index..<index + 1))
                    }
                }
                if count < chunk.frameCount { held.insert(chunk.frames(count..<chunk.frameCount), at: 0) }
            }
        }
    }

    /// Repeats its first frame.
    struct Stutter: AudioFilter {
        static let type = "stutter"
        static let summary = "has a bug"
        private var isFirst = true

        init(options: NoOptions, format: AudioFormat) {}

        mutating func apply(_ chunk: PCMChunk, to output: inout FilterOutput) {
            if isFirst { output.keep(chunk.frames(0..<1)) }
            isFirst = false
            output.keep(chunk)
        }
    }

    private static let filters = {
        var filters = FilterRegistry.builtIn
        filters.register(Holes.self)
        filters.register(Stutter.self)
        return filters
    }()

    /// The frames of a call that the filter of the test keeps.
    private func kept(_ range: Range<Int>) -> [Int16] {
        range.filter { !Holes.isCut($0) }.map { ramp($0..<$0 + 1)[0] }
    }

    private func cuts(_ frames: Int) -> FrameRanges {
        FrameRanges(stride(from: 200, to: frames, by: 1000).map { $0..<min(frames, $0 + 500) })
    }

    private func check(_ bench: CallBench, _ recording: Recording) {
        expectClosedAccounts(recording)
        let verification = Verification(directory: bench.workspace.path, registry: testRegistry)
        #expect(verification.check(recording).problems.map(\.description) == [])
    }

    @Test func `a filter changes one sink alone, and the manifest tells what it cut`() async throws {
        let bench = try CallBench(
            [(Probe(), #"{"filters": [{"type": "holes"}]}"#), (Probe(), "{}")], filters: Self.filters)
        for _ in 0..<50 { bench.receive(83) }
        let recording = try await bench.end()
        let sink = recording.sinks[0]
        #expect(sink.state == .complete && sink.cut == 2000 && sink.written == 2150 && sink.lost == 0)
        #expect(sink.ranges?.cut == cuts(4150) && sink.filters == [.object(["type": "holes"])])
        #expect(sink.files.map(\.frames) == [2150])
        #expect(try bench.samples(sink.files[0]) == kept(0..<4150))
        #expect(try bench.samples(recording.sinks[1].files[0]) == ramp(0..<4150))
        #expect(recording.sinks[1].cut == nil && recording.sinks[1].filters == nil)
        check(bench, recording)
    }

    @Test func `a call of which everything is cut has an account and no sound`() async throws {
        let bench = try CallBench([(Probe(), #"{"filters": [{"type": "holes"}]}"#)], filters: Self.filters)
        bench.receive(200)
        bench.receive(400)
        let recording = try await bench.end()
        #expect(recording.sinks[0].written == 200 && recording.sinks[0].cut == 400)
        check(bench, recording)
    }

    @Test func `parts are as long as asked for, counted without the frames that were cut`() async throws {
        let bench = try CallBench(
            [(Probe(), #"{"filters": [{"type": "holes"}], "partLength": 1}"#)], template: "call-{part}",
            filters: Self.filters)
        for _ in 0..<40 { bench.receive(500) }
        let recording = try await bench.end()
        let files = recording.sinks[0].files
        #expect(files.map(\.frames) == [8000, 2000] && files[1].start == FramePosition(16000))
        #expect(try files.flatMap { try bench.samples($0) } == kept(0..<20000))
        check(bench, recording)
    }

    @Test(arguments: [1, 199, 201, 350, 701, 999])
    func `a sink that fails goes on elsewhere, and no frame is lost or repeated`(
        write: Int
    ) async throws {
        let far = try Workspace()
        let keys = #""failsAtWrite": \#(write), "failsOnce": true, "holds": 40, "fallback": "\#(far.path)""#
        let bench = try CallBench(
            [(Probe(), #"{"filters": [{"type": "holes"}], \#(keys)}"#)], filters: Self.filters)
        for _ in 0..<50 {
            bench.receive(100)
            try await Task.sleep(for: .milliseconds(1))
        }
        let recording = try await bench.end()
        let sink = recording.sinks[0]
        #expect(
            sink.files.count == (write <= 41 ? 1 : 2) && sink.lost == 0 && sink.cut == 2500
                && sink.ranges?.cut == cuts(5000))
        var all: [Int16] = []
        for file in sink.files {
            var assembler = LinearPCMAssembler(format: bench.session.format)
            let data = try Data(
                contentsOf: URL(fileURLWithPath: (file.directory ?? bench.workspace.path) + "/" + file.name))
            assembler.append(data.bytes)
            all += assembler.takeSamples() ?? []
        }
        #expect(all == kept(0..<5000))
        expectClosedAccounts(recording)
    }

    @Test func `a pause is masked before the filters, and a skipped one ends the part`() async throws {
        let bench = try CallBench(
            [
                (Probe(), #"{"filters": [{"type": "holes"}]}"#),
                (Probe(), #"{"filters": [{"type": "holes"}], "onPause": "skip"}"#),
            ], template: "call-{part}", filters: Self.filters)
        bench.receive(1100)
        bench.session.pause(true)
        bench.receive(1000)
        bench.session.pause(false)
        bench.receive(900)
        let recording = try await bench.end()
        let masked = recording.sinks[0], skipped = recording.sinks[1]
        #expect(masked.cut == 1500 && masked.masked == 500 && masked.written == 1000)
        #expect(skipped.skipped == 1000 && skipped.cut == 1000 && skipped.written == 1000 && skipped.files.count == 2)
        #expect(try skipped.files.flatMap { try bench.samples($0) } == kept(0..<1100) + kept(2100..<3000))
        check(bench, recording)
    }

    @Test func `a filter that breaks its contract fails its sink alone, and is named`() async throws {
        let bench = try CallBench(
            [(Probe(), #"{"filters": [{"type": "stutter"}]}"#), (Probe(), "{}")], filters: Self.filters)
        bench.receive(100)
        bench.receive(100)
        let recording = try await bench.end()
        #expect(recording.sinks[0].state == .failed && recording.sinks[0].blame == .bug)
        #expect(recording.sinks[0].error?.contains("the filter stutter passed on") == true)
        #expect(recording.sinks[1].state == .complete)
        expectClosedAccounts(recording)
    }

    @Test func `a call that was cut off is recovered with what its filter had cut`() throws {
        let bench = try InterruptedBench()
        var sink = bench.sink("probe", [("call.pcm", 0)])
        sink.filters = [.object(["type": "holes"])]
        sink.ranges = SinkRanges()
        sink.ranges?.cut = cuts(3000)
        try bench.plant(bench.manifest([sink], frames: 3000))
        // Frames 0..<200, 700..<1200, 1700..<2200, 2700..<2900.
        try bench.plant("call.pcm", frames: 1400)
        #expect(bench.recover().map(\.problems) == [[]])
        let recovered = try bench.published().sinks[0]
        #expect(recovered.written == 1400 && recovered.cut == 1500 && recovered.lost == 100)
        #expect(recovered.ranges?.lost == FrameRanges([2900..<3000]) && recovered.ranges?.cut == cuts(3000))
        #expect(recovered.filters == [.object(["type": "holes"])])
        #expect(try bench.problems() == [])
    }

    @Test func `another rate begins anew behind each cut`() async throws {
        let bench = try CallBench(
            [(Probe(), #"{"type": "raw", "filters": [{"type": "holes"}], "sampleRate": 16000}"#)],
            registry: .builtIn, filters: Self.filters)
        for _ in 0..<50 { bench.receive(100) }
        let recording = try await bench.end()
        let sink = recording.sinks[0]
        #expect(sink.state == .complete && sink.cut == 2500 && sink.written == 2500 && sink.lost == 0)
        #expect(sink.files.map(\.frames) == [5000])
        let verification = Verification(directory: bench.workspace.path, registry: .builtIn)
        #expect(verification.check(recording).problems.map(\.description) == [])
    }

    @Test(arguments: [11025, 22050, 47999])
    func `hundreds of cuts and another rate leave each frame at a known place`(rate: Int) async throws {
        let bench = try CallBench(
            [(Probe(), #"{"type": "raw", "filters": [{"type": "holes"}], "sampleRate": \#(rate)}"#)],
            registry: .builtIn, filters: Self.filters)
        for _ in 0..<1500 {
            if !bench.receive(200) { try await Task.sleep(for: .milliseconds(2)) }
        }
        let recording = try await bench.end()
        let sink = recording.sinks[0]
        #expect(sink.state == .complete && sink.cut == 150_000 && sink.written == 150_000 && sink.lost == 0)
        // 200 frames, then 299 stretches of 500, then 300.
        let shape = AudioFormat(sampleRate: rate), call = AudioFormat.telephone
        let frames = shape.frames(200, of: call) + 299 * shape.frames(500, of: call) + shape.frames(300, of: call)
        #expect(abs((sink.files[0].frames ?? 0) - frames) <= 1)
        let verification = Verification(directory: bench.workspace.path, registry: .builtIn)
        #expect(verification.check(recording).problems.map(\.description) == [])
    }
}
