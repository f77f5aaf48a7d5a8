public import CallreelCore

/// One message of a carrier on a call's socket.
public enum CarrierMessage: Hashable, Sendable {
    case text(String)
    case binary([UInt8])
}

/// Facts about a carrier that the kit cannot find out.
public struct CarrierContractPlan: Sendable {
    /// Whole conversations, as the carrier sends them. Each begins one call and ends in order.
    public var conversations: [[CarrierMessage]]
    /// Requests that the carrier makes of its webhooks, and for its sockets.
    public var requests: [CarrierRequest]
    /// Secrets of the options, which must appear in no answer, event or refusal.
    public var secrets: [String]

    /// Makes a plan.
    public init(conversations: [[CarrierMessage]], requests: [CarrierRequest] = [], secrets: [String] = []) {
        self.conversations = conversations
        self.requests = requests
        self.secrets = secrets
    }
}

/// Checks a carrier against the contract in `Docs/Internals/CarrierContract.md`, and returns the violations.
/// An empty list means that the carrier keeps the contract.
///
/// The kit plays the plan's conversations, whole, cut, out of order, and with every value of every message replaced. It
/// makes the plan's requests, and many that no carrier makes. For each broken rule the list has the first case.
///
/// A carrier that traps ends the process of the test. The last line before the end does not name the message: run the
/// test in a debugger then.
///
/// ```swift
/// @Test func `the carrier keeps the contract`() throws {
///     try requireCarrierContract(MyCarrier.self, plan: CarrierContractPlan(conversations: [captured]))
/// }
/// ```
/// - Parameters:
///   - carrier: the carrier type.
///   - options: the options to check with.
///   - plan: facts about the carrier that the kit cannot find out.
/// - Throws: the problem of the options, if the carrier cannot be made with them.
public func checkCarrierContract<C: Carrier>(
    _ carrier: C.Type, options: C.Options = C.Options(), plan: CarrierContractPlan
) throws(ConfigurationProblem) -> [CarrierContractViolation] {
    var bench = try CarrierBench<C>(options: options, plan: plan)
    bench.run()
    return bench.violations
}

/// Checks a carrier like ``checkCarrierContract(_:options:plan:)``, and throws an error that lists the violations.
/// - Parameters:
///   - carrier: the carrier type.
///   - options: the options to check with.
///   - plan: facts about the carrier that the kit cannot find out.
public func requireCarrierContract<C: Carrier>(
    _ carrier: C.Type, options: C.Options = C.Options(), plan: CarrierContractPlan
) throws {
    let found = try checkCarrierContract(carrier, options: options, plan: plan)
    if !found.isEmpty { throw CarrierContractError(violations: found) }
}
