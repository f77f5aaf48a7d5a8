public import CallreelCore

/// Checks a sink against the contract in `Docs/Internals/SinkContract.md`, and returns the violations.
/// An empty list means that the sink keeps the contract.
///
/// The kit opens, feeds, checkpoints, finishes, releases, fails and repairs the sink many times.
/// It does this in its own directory, and removes the directory afterwards.
/// It tries every format that Callreel records, except those that the sink refuses.
/// A sink that makes no files skips the rules for files. It needs a destination in the plan, or details, or events.
/// For each broken rule and set of options, the list has the first case.
///
/// In a test, prefer ``requireSinkContract(_:options:plan:)``: its error lists the violations.
/// Swift Testing shows nothing of a list awaited inside `#expect`.
///
/// The kit needs no testing library, no privileges and no process of its own, and other tests may run at the same time.
/// To simulate failing destinations, it replaces the descriptors that the sink has open in the kit's directory.
/// - Parameters:
///   - sink: the sink type.
///   - options: the sets of options to check, one after the other. Without any, the kit uses the defaults.
///   - plan: facts about the sink that the kit cannot find out.
/// - Throws: an error if the kit cannot work here and its result would mean nothing,
///   or if an operation of the sink does not return.
@concurrent
public func checkSinkContract<Sink: AudioSink & ~Copyable>(
    _ sink: Sink.Type, options: Sink.Options..., plan: SinkContractPlan = SinkContractPlan()
) async throws(SinkContractError) -> [SinkContractViolation] {
    try await violations(of: sink, options, plan)
}

/// Checks a sink like ``checkSinkContract(_:options:plan:)``, and throws an error that lists the violations.
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

/// Threads for all checks. Sinks may block, so checks run on the same kind of threads as in Callreel. A check with
/// three instances at once has four tasks.
private let threads = BlockingExecutor(name: "contract", threads: 4 * checkLimit)

/// Checks at the same time. More would wait for the threads of each other, and a verb that suspends would seem to hang.
private let checkLimit = BlockingExecutor.coreCount
private let slots = CheckSlots(checkLimit)

private func violations<Sink: AudioSink & ~Copyable>(
    of _: Sink.Type, _ options: [Sink.Options], _ plan: SinkContractPlan
) async throws(SinkContractError) -> [SinkContractViolation] {
    let sets = options.isEmpty ? [Sink.Options()] : options
    await slots.take()
    defer { slots.giveBack() }
    let result = await Watch.run(on: threads, patience: plan.patience) {
        do throws(SinkContractError) {
            var found: [SinkContractViolation] = []
            for (index, set) in sets.enumerated() {
                var bench = try Bench<Sink>(options: set, plan: plan, describesOptions: sets.count > 1)
                // The type's description is the same with every set of options.
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

/// Facts about a sink that the kit cannot find out.
public struct SinkContractPlan: Sendable {
    /// Frames that may be missing from a file after a checkpoint, because an encoder cannot
    /// write a block before it is full.
    public var heldFrames = 0
    /// The most time that one operation of the sink may take, 60 seconds by default.
    /// Then the check ends with an error that names the operation.
    /// The operation keeps its thread and the kit's directory.
    public var patience = Duration.seconds(60)

    /// The destination of a sink whose audio goes elsewhere than into files, such as a server of the test.
    public var destination: SinkDestination?
    /// The sink keeps nothing on purpose, as a sink for measurements of the program. Otherwise, a sink that makes no
    /// files, has no destination here, and reports neither details nor events does not pass: the kit sees nothing.
    public var keepsNothing = false
    /// The sink's format joins the channels of a call with these options, as Opus does at its lowest quality.
    /// Then S48 is not checked.
    public var joinsChannels = false

    /// Creates a plan. The default is for a sink that holds no frames back.
    public init(
        heldFrames: Int = 0, patience: Duration = .seconds(60), destination: SinkDestination? = nil,
        keepsNothing: Bool = false
    ) {
        self.heldFrames = heldFrames
        self.patience = patience
        self.destination = destination
        self.keepsNothing = keepsNothing
    }
}

/// The audio that has arrived at a sink's destination since the destination was made, of all instances together.
public enum SinkArrivals: Hashable, Sendable {
    /// So many frames: for a destination that cannot return the samples.
    case frames(Int)
    /// These samples, in the order of their arrival, interleaved by channel.
    case samples([Int16])
}

/// The destination of a sink under test. It belongs to the test, and nothing else may use it meanwhile.
public struct SinkDestination: Sendable {
    /// Returns the audio that has arrived. The kit asks only while the destination works.
    public var received: @Sendable () async throws -> SinkArrivals
    /// Makes the destination fail at once: break connections and refuse new ones.
    /// Nil if it cannot fail; then S43, S44 and S46 are not checked.
    public var fail: (@Sendable () async throws -> Void)?
    /// Makes the destination hang: take connections and data, and never answer.
    /// Nil if it cannot hang; then S45 is not checked.
    public var hang: (@Sendable () async throws -> Void)?
    /// Ends what ``fail`` or ``hang`` has begun.
    public var comeBack: (@Sendable () async throws -> Void)?

    /// Describes a destination. Pass nil only if there is nothing of the kind.
    public init(
        received: @escaping @Sendable () async throws -> SinkArrivals, fail: (@Sendable () async throws -> Void)?,
        hang: (@Sendable () async throws -> Void)?, comeBack: (@Sendable () async throws -> Void)?
    ) {
        self.received = received
        self.fail = fail
        self.hang = hang
        self.comeBack = comeBack
    }
}
