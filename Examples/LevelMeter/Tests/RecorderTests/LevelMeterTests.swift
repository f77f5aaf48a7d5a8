import CallreelCore
import CallreelTesting
import Testing

@testable import Recorder

@Suite struct LevelMeterTests {
    @Test func `the level meter keeps the sink contract`() async throws {
        var short = LevelMeterOptions()
        short.interval = 0.1
        try await requireSinkContract(LevelMeter.self, options: LevelMeterOptions(), short)
    }

    @Test func `levels are those of known signals`() {
        var level = Level()
        for _ in 0..<10 { level.add(.min) }
        #expect(level.peak == 0 && level.rms == 0)
        var half = Level()
        for index in 0..<10 { half.add(index.isMultiple(of: 2) ? 16384 : 0) }
        #expect(half.peak == -6.02 && half.rms == -9.03)
        half.add(level)
        #expect(half.peak == 0 && half.samples == 20)
        var silence = Level()
        silence.add(0)
        #expect(silence.rms == -.infinity)
    }
}
