import CallreelCore
import Foundation

/// Where a sink type is tried with one set of options. Its checks are in files of their own, by subject.
struct Bench<Sink: AudioSink & ~Copyable>: Sendable {
    let options: Sink.Options
    let plan: SinkContractPlan
    let sandbox: Sandbox
    /// What was found, one case of each rule: the first says what there is to mend.
    private(set) var violations: [SinkContractViolation] = []
    /// What stands behind every message when there are several sets of options.
    private let setting: String

    init(options: Sink.Options, plan: SinkContractPlan, describesOptions: Bool) throws(SinkContractError) {
        self.options = options
        self.plan = plan
        sandbox = try Sandbox()
        setting = describesOptions ? "; options \(JSONValue.object(options.json).json())" : ""
    }

    /// Runs every check that has ground to stand on: where even chunks of a quiet call go wrong, nothing is asked about full disks.
    mutating func run() async throws(SinkContractError) {
        try checkDescriptorsCanBeSeen()
        checkOptions()
        let answers = checkAnswers()
        let takes = await checkFormats(answers)
        guard let take = takes.last, !isBroken(SinkContractRule.audio) else { return }
        for take in takes { await checkChunking(take) }
        if isBroken(SinkContractRule.audio) { return }
        await checkLengths(take)
        if isBroken(SinkContractRule.audio) { return }
        await checkCheckpoints(take)
        if isBroken([.harmlessCheckpoint]) { return }
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
    }

    /// Notes that a rule is broken, unless that is known.
    mutating func note(_ rule: SinkContractRule, _ reason: String, _ format: AudioFormat? = nil) {
        guard !isBroken([rule]) else { return }
        violations.append(SinkContractViolation(rule: rule, reason: reason + (format.map { "; in \($0)" } ?? "") + setting))
    }

    /// Whether one of these rules is known to be broken.
    func isBroken(_ rules: [SinkContractRule]) -> Bool { violations.contains { rules.contains($0.rule) } }

    /// A call of so many frames, or of as many as one instance takes.
    func call(frames: Int, _ format: AudioFormat, seed: UInt64 = 1, level: Double = 1) -> TestCall {
        TestCall(frames: min(frames, Sink.frameLimit(options: options, format: format) ?? .max), format: format, seed: seed, level: level)
    }

    /// One life from open to finish, in a room of its own, with a look at what it left there.
    mutating func record(
        _ call: TestCall, _ chunks: [PCMChunk], checkpoints: Bool = false, stem: String = "call"
    ) async throws(LifeError) -> Outcome {
        let room = sandbox.room()
        let context = room.context(call.format, stem: stem)
        let receipt = try await Life<Sink>.run(options, context, chunks, checkpoints: checkpoints)
        let expected = Set(context.createdFiles), found = room.contents()
        for stray in found.subtracting(expected).sorted() {
            note(.ownFiles, "\(stray) stands in the call's directory; createFile did not make it", call.format)
        }
        let suffixes = Sink.fileSuffixes(options: options)
        for name in context.createdFiles where !suffixes.isEmpty && !suffixes.contains(String(name.dropFirst(stem.count + 1))) {
            note(.fileNames, "\(name) has none of the suffixes that the type names: \(suffixes.joined(separator: ", "))", call.format)
        }
        for gone in expected.subtracting(found).sorted() { note(.ownFiles, "\(gone) was created and is gone", call.format) }
        return Outcome(receipt: receipt, files: Life<Sink>.files(context))
    }
}

/// A format that the sink takes, and what it made of a call in it.
struct Take: Sendable {
    let call: TestCall
    let outcome: Outcome
}

extension SinkContractRule {
    /// What is broken when even a plain call goes wrong, or nobody knows its files.
    static let audio: [Self] = [.ownFiles, .anyCall, .receiptFrames, .framesByFile, .chunking, .decoding]
    /// What is broken when a repair cannot be believed.
    static let repair: [Self] = [.wholeFiles, .dryRun, .repairTwice]
}
