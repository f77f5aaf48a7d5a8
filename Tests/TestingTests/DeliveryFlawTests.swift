import CallreelCore
import CallreelDeliveries
import CallreelTesting
import Foundation
import Testing

/// Deliveries that break one rule each. The kit names this rule and no other.
@Suite struct DeliveryFlawTests {
    private func violations(_ flaw: DeliveryFlaw) async throws -> [DeliveryContractViolation] {
        let destination = TestDestination()
        return try await checkDeliveryContract(
            FlawedDelivery.self, options: FlawedDelivery.Options(flaw, destination),
            plan: destination.plan(secrets: [FlawedDelivery.secret]))
    }

    @Test func `the delivery that the flaws are added to keeps the contract`() async throws {
        let found = try await violations(.none)
        #expect(found == [], "\(found)")
    }

    @Test(arguments: cases)
    func `a flaw is found under its own number`(flaw: DeliveryFlaw, rule: DeliveryContractRule) async throws {
        let found = try await violations(flaw)
        #expect(found.map(\.rule) == [rule], "\(found)")
        #expect(found.allSatisfy { !$0.reason.isEmpty && !$0.reason.contains("\n") })
    }

    /// In a process of its own: other tests open descriptors and start programs all the time.
    @Test(arguments: leaks) func `what an attempt leaves open is found`(flaw: DeliveryFlaw) async throws {
        await #expect(processExitsWith: .success) { [flaw] in
            let destination = TestDestination()
            let found = try await checkDeliveryContract(
                FlawedDelivery.self, options: FlawedDelivery.Options(flaw, destination), plan: destination.plan())
            #expect(found.map(\.rule) == [.release], "\(found)")
        }
    }

    @Test func `every flaw is tried, and every rule is broken by one of these deliveries`() {
        #expect(Set(Self.cases.map(\.0)).union([.none]).union(Self.leaks) == Set(DeliveryFlaw.allCases))
        // A separate type, below, breaks the rules about a type's own statements.
        let others: Set<DeliveryContractRule> = [.name, .summary, .optionsAsJSON, .strictOptions, .release]
        #expect(others.union(Self.cases.map(\.1)) == Set(DeliveryContractRule.all))
    }

    @Test func `a name, a summary and options that are none are found`() async throws {
        let destination = TestDestination()
        let found = try await checkDeliveryContract(
            MisnamedDelivery.self, options: MisnamedDelivery.Options(address: destination.name),
            plan: destination.plan())
        #expect(Set(found.map(\.rule)) == [.name, .summary, .optionsAsJSON, .strictOptions], "\(found)")
    }

    @Test func `the throwing form throws a text that says what is wrong`() async throws {
        let destination = TestDestination()
        let error = await #expect(throws: DeliveryContractError.self) {
            try await requireDeliveryContract(
                FlawedDelivery.self, options: FlawedDelivery.Options(.deliversNothing, destination),
                plan: destination.plan())
        }
        #expect(
            error?.description
                == "the delivery contract is broken\nD6 (A receipt means that the destination has the recording): "
                + "a plain recording: there is a receipt, but the destination does not have the recording")
    }

    // MARK: - What the kit can see

    private let blindPlan = DeliveryContractPlan(delivered: nil, fail: nil, hang: nil, recover: nil)

    @Test func `a delivery that only attaches keeps the contract`() async throws {
        try await requireDeliveryContract(AttachingDelivery.self, plan: blindPlan)
    }

    @Test(arguments: [
        (AttachingDelivery.Flaw.attachesNothing, "the receipt has no attachment"),
        (.attachesTheSame, "the attachments of two recordings with different audio are the same"),
    ])
    func `a delivery of which the kit sees nothing does not pass`(flaw: AttachingDelivery.Flaw, reason: String)
        async throws
    {
        let error = await #expect(throws: DeliveryContractError.self) {
            try await requireDeliveryContract(
                AttachingDelivery.self, options: AttachingDelivery.Options(flaw), plan: blindPlan)
        }
        #expect(error?.violations == [])
        #expect(
            error?.description
                == "cannot check the delivery contract here: the kit sees nothing: the plan cannot look into the "
                + "destination, and \(reason)")
    }

    @Test func `an attachment without content is no delivery`() async throws {
        let found = try await checkDeliveryContract(
            AttachingDelivery.self, options: AttachingDelivery.Options(.attachesEmpty), plan: blindPlan)
        #expect(found.map(\.rule) == [.arrival], "\(found)")
    }

    @Test(arguments: ["fail", "hang"]) func `a plan that does nothing to the destination is refused`(step: String)
        async throws
    {
        let destination = TestDestination()
        var plan = destination.plan()
        if step == "fail" { plan.fail = {} } else { plan.hang = { destination.turn(.works) } }
        // Cancelled in the middle, a delivery without a wait has ended by itself.
        let error = await #expect(throws: DeliveryContractError.self) {
            try await requireDeliveryContract(
                FlawedDelivery.self, options: FlawedDelivery.Options(.none, destination), plan: plan)
        }
        #expect(
            error?.description
                == "cannot check the delivery contract here: the plan's \(step) does nothing: the recording was delivered "
                + "all the same")
    }

    @Test func `a plan without a way back, and one that hides a secret, are refused`() async throws {
        let destination = TestDestination()
        var plan = destination.plan(), options = FlawedDelivery.Options(.none, destination)
        options.key = try secret("swordfish")
        await #expect(throws: DeliveryContractError.self) {
            try await requireDeliveryContract(FlawedDelivery.self, options: options, plan: plan)
        }
        plan.secrets = ["swordfish"]
        try await requireDeliveryContract(FlawedDelivery.self, options: options, plan: plan)
        plan.recover = nil
        await #expect(throws: DeliveryContractError.self) {
            try await requireDeliveryContract(FlawedDelivery.self, options: options, plan: plan)
        }
    }

    private func secret(_ text: String) throws -> Secret {
        var problems: [ConfigurationProblem] = []
        let options = FlawedDelivery.Options.read(
            .object(["key": .string(text)]), at: .root, problems: &problems)
        return try #require(options.key)
    }

    @Test func `a delivery that does not end although its destination works ends the check`() async throws {
        let destination = TestDestination()
        var plan = destination.plan()
        plan.patience = .milliseconds(500)
        destination.turn(.hangs)
        let error = await #expect(throws: DeliveryContractError.self) {
            try await requireDeliveryContract(
                FlawedDelivery.self, options: FlawedDelivery.Options(.none, destination), plan: plan)
        }
        #expect(
            error?.description.hasSuffix(
                "the delivery of a plain recording has not ended within 0.5 seconds, the plan's patience") == true,
            "\(error?.description ?? "none")")
    }

    private static let leaks: [DeliveryFlaw] = [.leaksDescriptor, .leaksProcess, .leaksWhenCancelled]

    private static let cases: [(DeliveryFlaw, DeliveryContractRule)] = [
        (.changesItsMind, .answers), (.hasAnObstacle, .answers), (.triesTheDestination, .answers),
        (.deliversNothing, .arrival), (.deliversHalf, .arrival),
        (.deliversTwice, .repetition), (.refusesAgain, .repetition),
        (.mixesUp, .independence),
        (.writesBeside, .ownFiles), (.changesAFile, .ownFiles),
        (.claimsWithoutFiles, .oddRecordings), (.breaksAtOddities, .oddRecordings),
        (.runsFacts, .untrustedFacts), (.followsFacts, .untrustedFacts),
        (.attachesASlash, .attachments), (.attachesTwice, .attachments), (.attachesManifest, .attachments),
        (.countsInfinity, .details),
        (.swallowsFailures, .noSwallowing),
        (.givesNoReason, .reasons), (.givesTwoLines, .reasons), (.namesNoAddress, .reasons),
        (.staysBroken, .recovery), (.leavesALock, .restart),
        (.ignoresCancellation, .cancellation),
        (.tellsInErrors, .secrets), (.tellsInReceipts, .secrets), (.tellsInLog, .secrets),
        (.tellsInAttachments, .secrets),
    ]
}

/// A delivery with flaws in what its type says of itself.
private struct MisnamedDelivery: Delivery {
    struct Options: Configurable {
        var address = ""
        var anything = "x"

        init() {}
        init(address: String) { self.address = address }

        static let fields: [Field<Self>] = [
            .string("address", \.address, "The destination."),
            Field(
                "anything", type: "anything", schema: [:], help: "Anything.", read: { _, _, _, _ in },
                write: { .string($0.anything + UUID().uuidString) }),
        ]
    }

    static let type = "to-memory"
    static let summary = "two\nlines"

    private let sound: FlawedDelivery

    init(options: Options, context: DeliveryContext) throws(ConfigurationProblem) {
        var inner = FlawedDelivery.Options()
        inner.address = options.address
        sound = try FlawedDelivery(options: inner, context: context)
    }

    func deliver(_ recording: PublishedRecording) async throws(DeliveryError) -> DeliveryReceipt {
        try await sound.deliver(recording)
    }
}
