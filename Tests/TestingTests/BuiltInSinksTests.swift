import CallreelCore
import CallreelSinks
import CallreelTesting
import Testing

/// The built-in sinks keep the same contract as other sinks.
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

    @Test(
        arguments: [
            (SndfileFormat.caf, nil), (.caf, .float), (.aiff, nil), (.aiff, .pcm24), (.aiff, .ulaw), (.w64, nil),
            (.w64, .alaw), (.rf64, nil),
            (.rf64, .pcm24), (.au, nil), (.au, .ulaw),
        ] as [(SndfileFormat, WAVEncoding?)])
    func `a sndfile sink that keeps samples keeps the contract`(format: SndfileFormat, encoding: WAVEncoding?)
        async throws
    {
        var options = SndfileOptions()
        (options.format, options.encoding) = (format, encoding)
        try await requireSinkContract(SndfileSink.self, options: options)
    }

    /// Frames held in the encoder and in a partly filled page, at the highest rate.
    @Test(arguments: [(SndfileFormat.opus, 14_000), (.vorbis, 48_000), (.mp3, 5400)], [nil, 0, 0.5, 1])
    func `a sndfile sink that loses something keeps the contract`(
        stream: (format: SndfileFormat, held: Int), quality: Double?
    ) async throws {
        var options = SndfileOptions()
        (options.format, options.quality) = (stream.format, quality)
        var plan = SinkContractPlan(heldFrames: stream.held)
        // At 8 kHz, the encoder saves bits by joining two channels into one.
        plan.joinsChannels = stream.format == .opus && quality == 0
        try await requireSinkContract(SndfileSink.self, options: options, plan: plan)
    }

    @Test(arguments: [
        (ExecOptions.Input.wav, ["wc", "-c"]), (.wav, ["cat"]), (.wav, ["sox", "-t", "wav", "-", "-n", "stat"]),
        (.pcm, ["wc", "-c"]),
        (.pcm, ["cat"]),
    ])
    func `a sink for a program keeps the contract`(input: ExecOptions.Input, command: [String]) async throws {
        var options = ExecOptions()
        (options.command, options.input) = (command, input)
        try await requireSinkContract(ExecSink.self, options: options)
    }

    @Test(arguments: [
        (ExecOptions.Input.wav, ["tee", "{output}"]), (.pcm, ["dd", "status=none", "of={output}"]),
        (.pcm, ["cp", "/dev/stdin", "{output}"]),
        (.wav, ["sox", "-t", "wav", "-", "-t", "flac", "{output}"]),
    ])
    func `a sink for a program that writes a file keeps the contract`(input: ExecOptions.Input, command: [String])
        async throws
    {
        var options = ExecOptions()
        (options.command, options.input, options.extension) = (command, input, "audio")
        // The frames of four bytes in a full pipe, and those that the program has read and not yet written.
        let plan = SinkContractPlan(heldFrames: 16_384 + 8192)
        try await requireSinkContract(ExecSink.self, options: options, plan: plan)
    }

    @Test func `a sink for nothing passes only if the plan says so`() async throws {
        let error = await #expect(throws: SinkContractError.self) { try await requireSinkContract(NullSink.self) }
        #expect(error?.violations == [])
        #expect(error?.description.contains("the kit sees nothing of the sink") == true)
    }

    @Test func `a sink for nothing keeps the contract`() async throws {
        try await requireSinkContract(NullSink.self, plan: SinkContractPlan(keepsNothing: true))
    }

    @Test func `a sink for memory keeps the contract, with room for as many calls as there are at once`() async throws {
        var options = MemoryOptions()
        (options.label, options.calls, options.seconds) = ("contract", 3, 1)
        try await requireSinkContract(MemorySink.self, options: options)
    }
}
