import CallreelCore
import CallreelSinks
import CallreelTesting
import Testing

/// The sinks that come with the program keep the contract that they ask of others.
@Suite struct BuiltInSinksTests {
    @Test(arguments: WAVEncoding.allCases) func `a WAV sink keeps the contract`(encoding: WAVEncoding) async throws {
        var options = WAVOptions()
        options.encoding = encoding
        try await requireSinkContract(WAVSink.self, options: options)
    }

    @Test(arguments: [(0, 16), (5, nil), (5, 4608), (8, 1152)], [false, true])
    func `a FLAC sink keeps the contract`(settings: (level: Int, blockSize: Int?), verify: Bool) async throws {
        var options = FLACOptions()
        (options.level, options.blockSize, options.verify) = (settings.level, settings.blockSize, verify)
        let plan = SinkContractPlan(heldFrames: settings.blockSize ?? 1152)
        try await requireSinkContract(FLACSink.self, options: options, plan: plan)
    }

    @Test func `a raw sink keeps the contract`() async throws {
        try await requireSinkContract(RawSink.self)
    }
}
