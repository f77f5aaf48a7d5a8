/// A rule of the sink contract that a sink breaks, and the evidence.
public struct SinkContractViolation: Error, Hashable, Sendable, CustomStringConvertible {
    /// The broken rule.
    public let rule: SinkContractRule
    /// The test, its result, and the expected result.
    public let reason: String

    /// The rule and the reason, such as
    /// `S11 (…): receipt of 996 frames after 997 were written; in 16000 Hz, 1 channel`.
    public var description: String { "\(rule.number) (\(rule.text)): \(reason)" }
}

/// The error of a failed check: the sink breaks the contract, or the kit could not work.
public struct SinkContractError: Error, Sendable, CustomStringConvertible {
    /// The violations. Empty if the kit could not work.
    public let violations: [SinkContractViolation]
    /// The reason. With violations, one line for each.
    public let description: String

    /// The operation that has not returned, if that is the reason.
    let hanging: Verb?

    init(violations: [SinkContractViolation]) {
        hanging = nil
        self.violations = violations
        description = (["the sink contract is broken"] + violations.map(\.description)).joined(separator: "\n")
    }

    init(hanging verb: Verb, _ patience: Duration) {
        hanging = verb
        violations = []
        description =
            "cannot check the sink contract: \(verb.rawValue) has not returned for \(patience), the plan's patience"
    }

    init(cannotCheck reason: String) {
        hanging = nil
        violations = []
        description = "cannot check the sink contract here: \(reason)"
    }
}
