public import CallreelCore

/// Checks a sink against the contract in `Docs/SinkContract.md`, and returns what it breaks: nothing, when all is well.
///
/// The sink is opened, fed, checkpointed, finished, let go, failed and repaired, many times over, in a directory of the kit's own that is
/// gone afterwards. Every format that the program records is tried; one that the sink refuses is left out. What holds for files only
/// is not asked of a sink that makes none. Of each rule that is broken, the first case is told for each set of options.
///
/// A test is best served by ``requireSinkContract(_:options:plan:)``, whose error says what is wrong; Swift Testing shows nothing of a list
/// that is awaited inside of `#expect`.
///
/// It needs no testing library, no privileges and no process of its own, and other tests may run beside it. To see failing
/// destinations, it puts other descriptors under the numbers of the files that the sink has open in that directory.
/// - Parameters:
///   - sink: the type.
///   - options: the sets of options that are tried, one after the other; none stands for the defaults.
///   - plan: what the kit cannot know of a sink.
/// - Throws: when the kit cannot do its work here, so that what it would say were worth nothing; or when a verb of the sink does not return.
@concurrent
public func checkSinkContract<Sink: AudioSink & ~Copyable>(
    _ sink: Sink.Type, options: Sink.Options..., plan: SinkContractPlan = SinkContractPlan()
) async throws(SinkContractError) -> [SinkContractViolation] {
    try await violations(of: sink, options, plan)
}

/// Checks a sink like ``checkSinkContract(_:options:plan:)``, and throws an error that lists what it breaks.
///
/// ```swift
/// @Test func `the level meter keeps the sink contract`() async throws {
///     try await requireSinkContract(LevelMeter.self)
/// }
/// ```
@concurrent
public func requireSinkContract<Sink: AudioSink & ~Copyable>(
    _ sink: Sink.Type, options: Sink.Options..., plan: SinkContractPlan = SinkContractPlan()
) async throws(SinkContractError) {
    let found = try await violations(of: sink, options, plan)
    if !found.isEmpty { throw SinkContractError(violations: found) }
}

/// Sinks may block, so that all of it runs where they would: on the framework's own kind of threads. One set of them serves every check.
private let threads = BlockingExecutor(name: "contract")

private func violations<Sink: AudioSink & ~Copyable>(
    of _: Sink.Type, _ options: [Sink.Options], _ plan: SinkContractPlan
) async throws(SinkContractError) -> [SinkContractViolation] {
    let sets = options.isEmpty ? [Sink.Options()] : options
    let result = await Watch.run(on: threads, patience: plan.patience) {
        do throws(SinkContractError) {
            var found: [SinkContractViolation] = []
            for (index, set) in sets.enumerated() {
                var bench = try Bench<Sink>(options: set, plan: plan, describesOptions: sets.count > 1)
                // What the type says of itself is the same with every set.
                if index == 0 { bench.checkDescription() }
                try await bench.run()
                found += bench.violations
            }
            return .success(found)
        } catch {
            return .failure(error)
        }
    }
    return try result.get()
}

/// What the kit cannot know of a sink, and has to be told.
public struct SinkContractPlan: Sendable {
    /// Frames that may be missing in what stands after a checkpoint, because an encoder cannot write a block before it is full.
    public var heldFrames = 0
    /// How long one verb of the sink may take: after that it is taken for one that never returns, and the check ends with an error that
    /// names it. Its thread and the kit's directory are then left to it.
    public var patience = Duration.seconds(60)

    /// Makes a plan; by itself for a sink that holds nothing back.
    public init(heldFrames: Int = 0, patience: Duration = .seconds(60)) {
        self.heldFrames = heldFrames
        self.patience = patience
    }
}
