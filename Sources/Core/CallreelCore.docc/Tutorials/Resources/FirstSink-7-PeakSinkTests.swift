import CallreelCore
import CallreelTesting
import Testing

@testable import Recorder

@Test func `the sink keeps the sink contract`() async throws {
    var short = PeakOptions()
    short.interval = 0.05
    try await requireSinkContract(PeakSink.self, options: PeakOptions(), short)
}
