import CallreelCore
import CallreelTesting
import Foundation
import Testing

/// Sinks that break one rule each. The kit names this rule and no other.
@Suite struct FlawTests {
    @Test func `the sink that the flaws are added to keeps the contract`() async throws {
        try await requireSinkContract(FlawedSink.self)
    }

    @Test(arguments: cases)
    func `a flaw is found under its own number`(flaw: Flaw, rule: SinkContractRule) async throws {
        let found = try await checkSinkContract(FlawedSink.self, options: FlawOptions(flaw))
        #expect(found.map(\.rule) == [rule], "\(found)")
        #expect(found.allSatisfy { !$0.reason.isEmpty && !$0.reason.contains("\n") })
    }

    @Test func `every flaw is tried, and every rule is broken by one of these sinks`() {
        #expect(Set(Self.cases.map(\.0)).union([.none]) == Set(Flaw.allCases))
        // Separate types, below, break the rules about a type's own statements.
        let others: Set<SinkContractRule> = [.name, .summary, .optionsAsJSON, .strictOptions]
        // UploadTests has the sinks that break the rules about destinations.
        let uploads = UploadFlaw.allCases.compactMap(\.rule)
        #expect(others.union(Self.cases.map(\.1)).union(uploads) == Set(SinkContractRule.all))
    }

    @Test func `a name, a summary and options that are none are found`() async throws {
        #expect(try await checkSinkContract(NamelessSink.self).map(\.rule) == [.name])
        #expect(try await checkSinkContract(SilentSink.self).map(\.rule) == [.summary])
        #expect(try await checkSinkContract(PickySink.self).map(\.rule) == [.optionsAsJSON])
        #expect(try await checkSinkContract(ForgetfulSink.self).map(\.rule) == [.optionsAsJSON])
        #expect(try await checkSinkContract(CredulousSink.self).map(\.rule) == [.strictOptions])
        #expect(try await checkSinkContract(HidingSink.self).map(\.rule) == [.strictOptions])
    }

    @Test func `what neighbours have in common is found in what they report, and what the clock does to it is not`()
        async throws
    {
        let found = try await checkSinkContract(CommonPeakSink.self)
        #expect(found.map(\.rule) == [.independence], "\(found)")
        #expect(found.first?.reason.contains("as peak") == true, "\(found)")
    }

    @Test(arguments: RunSink.Mistake.allCases)
    func `what depends on the cut is found in files that nobody decodes, and in details`(mistake: RunSink.Mistake)
        async throws
    {
        let found = try await checkSinkContract(RunSink.self, options: RunSink.Options(mistake))
        #expect(found.map(\.rule) == (mistake == .none ? [] : [.chunking]), "\(found)")
        let name = mistake == .count ? "the detail runs" : "call.runs"
        #expect(found.allSatisfy { $0.reason.contains("\(name) differs") }, "\(found)")
    }

    @Test(arguments: RareWriter.Moment.allCases)
    func `a write that is swallowed is found wherever it is, though the rest is an error or a success`(
        moment: RareWriter.Moment
    ) async throws {
        let found = try await checkSinkContract(RareWriter.self, options: RareWriter.Options(swallows: moment))
        #expect(found.map(\.rule) == (moment == .never ? [] : [.noSwallowing]), "\(found)")
    }

    private static let cases: [(Flaw, SinkContractRule)] = [
        (.failsAtEvents, .events), (.writesAtEvents, .events),
        (.skipsSilence, .origins), (.skipsMasked, .origins),
        (.failsAtParts, .parts), (.needsItsState, .carriedState), (.spoilsItsState, .carriedState),
        (.probesWithAFile, .probe), (.probesNothing, .probe),
        (.changesItsMind, .answers), (.takesNoFrame, .answers),
        (.refusesEverything, .formats),
        (.swallowsOpening, .refusal),
        (.writesBeside, .ownFiles), (.writesAbove, .ownFiles), (.movesItsFile, .ownFiles),
        (.replacesFiles, .noOverwriting),
        (.failsWithoutFrames, .anyCall), (.failsInStereo, .anyCall),
        (.countsOneMore, .receiptFrames),
        (.filesOneLess, .framesByFile), (.filesAStranger, .framesByFile),
        (.losesOddFrames, .chunking),
        (.countsInCommon, .independence),
        (.repeatsAtCheckpoints, .harmlessCheckpoint),
        (.keepsForTheEnd, .checkpointHolds), (.removesWhenLetGo, .checkpointHolds),
        (.doesNotSync, .durability),
        (.leaksFile, .release), (.leaksPipe, .release),
        (.swallowsWrites, .noSwallowing),
        (.blamesItself, .blame), (.givesNoReason, .blame),
        (.emptiesOnFailure, .failedFiles),
        (.doesNotWait, .slowness),
        (.repairsWholeFiles, .wholeFiles), (.repairsToOneMore, .wholeFiles),
        (.repairsInDryRuns, .dryRun),
        (.repairsInSteps, .repairTwice),
        (.repairsByGuessing, .tornFiles), (.repairsWhatIsMissing, .tornFiles),
        (.namesAnotherFile, .fileNames),
        (.decodesOneLess, .decoding), (.decodesOtherwise, .decoding),
        (.losesTheBeginningOfParts, .wholeParts), (.swapsChannels, .channels), (.dropsAChannel, .channels),
    ]
}
