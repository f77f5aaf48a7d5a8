import CallreelCore
import CallreelTesting
import Foundation
import Testing

/// The test kit with sinks of different kinds, and its messages.
@Suite struct KitTests {
    @Test func `sinks without files, for one format, or of classes keep the contract too`() async throws {
        try await requireSinkContract(PlainSink.self)
        try await requireSinkContract(MonoSink.self)
    }

    @Test func `what an encoder holds back is allowed to the one who says how much`() async throws {
        let plan = SinkContractPlan(heldFrames: BlockSink.blockFrames)
        try await requireSinkContract(BlockSink.self, plan: plan)
        let found = try await checkSinkContract(BlockSink.self)
        #expect(found.map(\.rule) == [.checkpointHolds], "\(found)")
    }

    @Test func `each set of options is tried, and named where it matters`() async throws {
        let found = try await checkSinkContract(
            FlawedSink.self, options: FlawOptions(.countsOneMore), FlawOptions(), FlawOptions(.doesNotSync))
        #expect(found.map(\.rule) == [.receiptFrames, .durability])
        #expect(found.first?.reason.hasSuffix(#"; options {"flaw":"countsOneMore"}"#) == true, "\(found)")
    }

    @Test func `the throwing form throws a text that says what is wrong`() async throws {
        try await requireSinkContract(PlainSink.self)
        let error = await #expect(throws: SinkContractError.self) {
            try await requireSinkContract(FlawedSink.self, options: FlawOptions(.countsOneMore))
        }
        #expect(error?.violations.count == 1)
        let text =
            "the sink contract is broken\nS11 (The receipt counts the written frames): 4800 were written, but the receipt has 4801; in 8000 Hz, 1 channel"
        #expect(error?.description == text)
    }

    @Test(arguments: HangingSink.Verb.allCases)
    func `a verb that never returns ends the check with its name`(verb: HangingSink.Verb) async throws {
        defer { HangingSink.release(verb) }
        var options = HangingSink.Options()
        options.verb = verb
        let names: [HangingSink.Verb: String] = [.letGo: "deinit", .refusal: "refusal or frameLimit"]
        if verb == .none { return try await requireSinkContract(HangingSink.self, options: options) }
        let error = await #expect(throws: SinkContractError.self) {
            try await requireSinkContract(
                HangingSink.self, options: options, plan: SinkContractPlan(patience: .seconds(2)))
        }
        let name = names[verb] ?? verb.rawValue
        #expect(
            error?.description
                == "cannot check the sink contract: \(name) has not returned for 2.0 seconds, the plan's patience")
        #expect(error?.violations == [])
    }

    @Test func `nothing is left of a check`() async throws {
        await #expect(processExitsWith: .success) {
            let path = FileManager.default.temporaryDirectory.appendingPathComponent(
                "callreel-kit-" + UUID().uuidString
            ).path
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            unsafe setenv("TMPDIR", path, 1)
            #expect(FileManager.default.temporaryDirectory.path == path)
            try await requireSinkContract(FlawedSink.self)
            #expect(try FileManager.default.contentsOfDirectory(atPath: path) == [])
            try FileManager.default.removeItem(atPath: path)
        }
    }
}
