import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// A sink with its own sample rate or channels keeps the call's timeline in every case.
@Suite struct ConversionTests {
    @Test func `another number of channels is mixed or doubled`() throws {
        let stereo: [Int16] = [100, 300, -5, -6, 32767, 32767, -32768, -32768]
        func mixed(_ samples: [Int16], from source: Int, to target: Int) throws -> [Int16] {
            let shapes = [source, target].map { AudioFormat(sampleRate: 8000, channels: $0) }
            var conversion = try Conversion(from: shapes[0], to: shapes[1], at: .start, maker: nil)
            return try conversion.convert(PCMChunk(samples: samples, format: shapes[0], start: .start)).samples
        }
        #expect(try mixed(stereo, from: 2, to: 1) == [200, -6, 32767, -32768])
        #expect(try mixed([7, -7], from: 1, to: 2) == [7, 7, -7, -7])
        // All samples, on the way through floating point.
        let all = (Int(Int16.min)...Int(Int16.max)).map { Int16($0) }
        #expect(try mixed(all, from: 1, to: 2) == all.flatMap { [$0, $0] })
    }

    @Test func `another rate needs something that changes it`() throws {
        var problems: [ConfigurationProblem] = []
        let sinks = try JSONValue.parse(#"[{"type": "meter", "sampleRate": 16000}]"#)
        _ = SinkPlan.read(sinks, at: .root.key("sinks"), registry: testRegistry, problems: &problems)
        #expect(
            problems.map(\.description) == [
                "sinks[0].sampleRate: 16000 is not possible: this program has no rate converter"
            ])
    }

    @Test func `what a converter holds back is there before a pause and at the end, and parts begin where they should`()
        async throws
    {
        let bench = try CallBench(
            [(Probe(), #"{"sampleRate": 16000, "partLength": 1, "onPause": "skip"}"#), (Probe(), "{}")],
            registry: .doubling)
        bench.receive(3000)
        bench.session.pause(true)
        bench.receive(2000)
        bench.session.pause(false)
        for _ in 0..<5 { bench.receive(4000) }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        let sink = recording.sinks[0]
        #expect(sink.state == .complete && sink.written == 23_000 && sink.skipped == 2000)
        #expect(sink.format == AudioFormat(sampleRate: 16000))
        #expect(sink.files.map(\.frames) == [6000, 16_000, 16_000, 8000])
        let isWhole = try sink.files.flatMap(bench.samples) == doubled(ramp(0..<3000) + ramp(5000..<25_000))
        #expect(isWhole)
    }

    @Test(arguments: [#""sampleRate": 16000"#, #""channels": 2"#], [0, 150])
    func `a sink in another shape that fails goes on without a hole and without a frame twice`(
        shape: String, holds: Int
    ) async throws {
        let entry = #"{\#(shape), "partLength": 1, "failsAtWrite": 4, "holds": \#(holds * 2), "retry": 0.01}"#
        let probe = Probe(), total = shape.contains("channels") ? 34_800 : 69_600
        let bench = try CallBench([(probe, entry), (Probe(), "{}")], registry: .doubling)
        // Three of them make a part, so that some parts are full, some fail, and the next ones begin within a chunk.
        for _ in 0..<12 { bench.receive(2900) }
        // Without the frames held by the converter. A sink that fails after the call's end is not tried again.
        try await until("it has taken nearly all") { probe.life.withLock { $0.end.frames } >= total - 74 }
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        let sink = recording.sinks[0]
        #expect(sink.state == .complete && sink.written == 34_800)
        #expect(sink.files.compactMap(\.frames).reduce(0, +) == total)
        let heard = try sink.files.flatMap(bench.samples)
        let isWhole = heard == doubled(ramp(0..<34_800))
        #expect(isWhole, "\(heard.count)")
    }
}

private func doubled<Sample>(_ samples: [Sample]) -> [Sample] { samples.flatMap { [$0, $0] } }

/// Converts 8000 Hz to 16000 Hz, each sample twice, and holds back the last ones until more arrive.
private struct Doubler: RateConverter {
    private var held: [Float] = []

    mutating func convert(_ samples: Span<Float>, isLast: Bool) throws(RateConverterError) -> [Float] {
        held += samples.indices.map { samples[$0] }
        let ready = isLast ? held.count : max(0, held.count - 37)
        defer { held.removeFirst(ready) }
        return doubled(Array(held.prefix(ready)))
    }
}

extension SinkRegistry {
    /// The sinks for tests, with a rate converter.
    static var doubling: SinkRegistry {
        var registry = testRegistry
        registry.rateConverter = { source, target, channels throws(RateConverterError) in
            precondition(source * 2 == target && channels == 1)
            return Doubler()
        }
        return registry
    }
}
