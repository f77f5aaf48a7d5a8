public import CallreelCore

/// Checks a delivery against the contract in `Docs/Internals/DeliveryContract.md`, and returns the violations.
/// An empty list means that the delivery keeps the contract.
///
/// The kit makes recordings in a directory of its own, and delivers them: plain ones, odd ones, the same one again,
/// several at once, by new instances. It lets the destination fail, hang and come back, and cancels attempts. After
/// each attempt it looks at the destination through the plan, and at its own directory. For each broken rule the list
/// has the first case.
///
/// In a test, prefer ``requireDeliveryContract(_:options:plan:)``: its error lists the violations.
/// - Parameters:
///   - delivery: the delivery type.
///   - options: the options to check with. They name the plan's destination.
///   - plan: the destination, and facts about the delivery that the kit cannot find out.
/// - Throws: an error if the kit cannot work here and its result would mean nothing. So it is if the kit can see
///   nothing of what the delivery does, or if an attempt does not end although the destination works.
@concurrent
public func checkDeliveryContract<D: Delivery>(
    _ delivery: D.Type, options: D.Options = D.Options(), plan: DeliveryContractPlan
) async throws(DeliveryContractError) -> [DeliveryContractViolation] {
    do throws(CannotCheck) {
        var bench = try DeliveryBench<D>(options: options, plan: plan)
        try await bench.run()
        return bench.violations
    } catch {
        throw DeliveryContractError(cannotCheck: error.reason)
    }
}

/// Checks a delivery like ``checkDeliveryContract(_:options:plan:)``, and throws an error that lists the violations.
///
/// ```swift
/// @Test func `the delivery keeps the contract`() async throws {
///     let server = try await StoreServer()
///     let plan = DeliveryContractPlan(
///         delivered: { server.objects.mapValues { DeliveryEvidence(times: $0.count) } },
///         fail: { server.answer = .status(503) }, hang: { server.answer = .never },
///         recover: { server.answer = .status(200) })
///     try await requireDeliveryContract(Upload.self, options: Upload.Options(url: server.url), plan: plan)
/// }
/// ```
@concurrent
public func requireDeliveryContract<D: Delivery>(
    _ delivery: D.Type, options: D.Options = D.Options(), plan: DeliveryContractPlan
) async throws(DeliveryContractError) {
    let found = try await checkDeliveryContract(delivery, options: options, plan: plan)
    if !found.isEmpty { throw DeliveryContractError(violations: found) }
}

/// The destination of a delivery under test, and facts about the delivery that the kit cannot find out.
///
/// The destination belongs to the test: a local server, a directory, a variable. Nothing else may use it meanwhile.
public struct DeliveryContractPlan: Sendable {
    /// Returns the recordings that the destination has now. The kit asks only while the destination works.
    ///
    /// Nil for a delivery whose only product is an attachment beside the recording. Then each receipt must have an
    /// attachment, with another content for another recording.
    public var delivered: (@Sendable () async throws -> [RecordingID: DeliveryEvidence])?
    /// Makes the destination fail at once: refuse connections, answer with an error, end with status 1.
    /// Nil if it cannot fail; then D14, D16 and a part of D15 and D17 are not checked.
    public var fail: (@Sendable () async throws -> Void)?
    /// Makes the destination hang: take a request and never answer.
    /// Nil if it cannot hang; then D18 is checked only with a destination that works.
    public var hang: (@Sendable () async throws -> Void)?
    /// Ends what ``fail`` or ``hang`` has begun. Attempts that still hang may end now.
    public var recover: (@Sendable () async throws -> Void)?

    /// A text that identifies the destination, such as its address, its path or its program. If set, each error of a
    /// failed destination must contain it.
    public var address: String?
    /// The secrets of the options. They must appear in no error, receipt or log line. If the options hold a secret, the
    /// plan must name it.
    public var secrets: [String] = []
    /// The content of the files of each of the kit's recordings, by suffix, such as `wav`. The argument is the
    /// recording's number: the content must be different for each. By default, a tone as `wav` and as `raw`.
    public var files: @Sendable (_ number: Int) -> [String: [UInt8]] = { DeliveryTone($0).files }
    /// The most time that an attempt may take while the destination works, and that an attempt may take to end after it
    /// was cancelled. 60 seconds by default.
    public var patience = Duration.seconds(60)

    /// Makes a plan. Pass nil only if there is nothing of the kind.
    public init(
        delivered: (@Sendable () async throws -> [RecordingID: DeliveryEvidence])?,
        fail: (@Sendable () async throws -> Void)?, hang: (@Sendable () async throws -> Void)?,
        recover: (@Sendable () async throws -> Void)?
    ) {
        self.delivered = delivered
        self.fail = fail
        self.hang = hang
        self.recover = recover
    }
}

/// A recording at the destination, as a test finds it there.
public struct DeliveryEvidence: Hashable, Sendable {
    /// How often the recording is there, for readers of the destination. It is 1 if the destination knows a second
    /// delivery by the recording's id.
    public var times: Int
    /// The contents of the recording's files there, in any order, and perhaps its manifest. Nil if the destination gets
    /// no files, such as one for notifications.
    public var files: [[UInt8]]?

    /// Describes a recording at the destination.
    public init(times: Int = 1, files: [[UInt8]]? = nil) {
        self.times = times
        self.files = files
    }
}
