import CallreelCore
import Foundation

/// The checks of a sink type with one set of options. Each subject has its own file.
struct Bench<Sink: AudioSink & ~Copyable>: Sendable {
    let options: Sink.Options
    let plan: SinkContractPlan
    let sandbox: Sandbox
    /// The violations found so far, the first case of each rule.
    private(set) var violations: [SinkContractViolation] = []
    /// The first failure of the plan's own closures.
    var planTrouble: String?
    /// The options, added to every message if several sets are checked.
    private let setting: String

    init(options: Sink.Options, plan: SinkContractPlan, describesOptions: Bool) throws(SinkContractError) {
        self.options = options
        self.plan = plan
        do throws(CannotCheck) { sandbox = try Sandbox() } catch { throw SinkContractError(cannotCheck: error.reason) }
        setting = describesOptions ? "; options \(JSONValue.object(options.json).json())" : ""
    }

    /// Runs the checks. Stops early if later checks would have no meaning: a sink that fails a plain
    /// call is not tried on a full disk.
    mutating func run() async throws(SinkContractError) {
        try checkDestinationPlan()
        try checkDescriptorsCanBeSeen()
        checkOptions()
        let answers = checkAnswers()
        let takes = await checkFormats(answers)
        guard let take = takes.last, !isBroken(SinkContractRule.audio) else { return try checkPlan() }
        try expectSomething(of: takes)
        for take in takes { await checkChunking(take) }
        if isBroken(SinkContractRule.audio) { return try checkPlan() }
        await checkLengths(take)
        if isBroken(SinkContractRule.audio) { return try checkPlan() }
        await checkCheckpoints(take)
        if isBroken([.harmlessCheckpoint]) { return try checkPlan() }
        await checkWholeCalls(take)
        await checkInstances(take)
        if !take.outcome.files.isEmpty {
            await checkWholeFiles(take)
            if !isBroken(SinkContractRule.repair) { await checkUnfinishedFiles(take) }
            if !isBroken(SinkContractRule.repair) { checkTornFiles(take) }
            await checkOpening(take)
            try await checkFailures(take)
            try await checkSlowness(take)
        }
        try await checkRelease(take)
        try await checkDestination(take)
        try checkPlan()
    }

    /// Records a violation, unless one of the same rule is already recorded.
    mutating func note(_ rule: SinkContractRule, _ reason: String, _ format: AudioFormat? = nil) {
        guard !isBroken([rule]) else { return }
        violations.append(
            SinkContractViolation(rule: rule, reason: reason + (format.map { "; in \($0)" } ?? "") + setting))
    }

    /// Returns true if a violation of one of these rules has been recorded.
    func isBroken(_ rules: [SinkContractRule]) -> Bool { violations.contains { rules.contains($0.rule) } }

    /// Returns a call of so many frames, or of the most frames that one instance takes.
    func call(frames: Int, _ format: AudioFormat, seed: UInt64 = 1, level: Double = 1) -> TestCall {
        TestCall(
            frames: min(frames, Sink.frameLimit(options: options, format: format) ?? .max), format: format, seed: seed,
            level: level)
    }

    /// Records a call from open to finish in a new room, and checks the files left there.
    mutating func record(
        _ call: TestCall, _ chunks: [PCMChunk], checkpoints: Bool = false, stem: String = "call"
    ) async throws(LifeError) -> Outcome {
        let room = sandbox.room()
        let context = room.context(call.format, stem: stem)
        let before = await arrivals()
        let receipt = try await Life<Sink>.run(options, context, chunks, checkpoints: checkpoints)
        await checkArrival(of: call.samples, receipt.frames, since: before, call.format, .arrival)
        let expected = Set(context.createdFiles), found = room.contents()
        for stray in found.subtracting(expected).sorted() {
            note(.ownFiles, "\(stray) is in the call's directory, but createFile did not create it", call.format)
        }
        if case .suffixes(let suffixes) = Sink.files(options: options) {
            for name in context.createdFiles where !suffixes.contains(String(name.dropFirst(stem.count + 1))) {
                note(
                    .fileNames, "\(name) has none of the type's suffixes: \(suffixes.joined(separator: ", "))",
                    call.format)
            }
        }
        for gone in expected.subtracting(found).sorted() {
            note(.ownFiles, "\(gone) was created, but is missing", call.format)
        }
        return Outcome(receipt: receipt, files: Life<Sink>.files(context))
    }
}

/// A call in a format that the sink accepts, and its outcome.
struct Take: Sendable {
    let call: TestCall
    let outcome: Outcome
}

extension SinkContractRule {
    /// The rules that are broken if a plain call fails or its files are unknown.
    static let audio: [Self] = [
        .ownFiles, .anyCall, .receiptFrames, .framesByFile, .chunking, .decoding, .arrival, .channels,
    ]
    /// The rules that must hold for later checks to rely on a repair.
    static let repair: [Self] = [.wholeFiles, .dryRun, .repairTwice]
}
