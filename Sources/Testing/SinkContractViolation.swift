/// A rule of the sink contract that a sink breaks, and how that was seen.
public struct SinkContractViolation: Error, Hashable, Sendable, CustomStringConvertible {
    /// The rule.
    public let rule: SinkContractRule
    /// What was done, what came of it, and what should have.
    public let reason: String

    /// Such as `S11 (…): receipt of 996 frames after 997 were written; in 16000 Hz, 1 channel`.
    public var description: String { "\(rule.number) (\(rule.text)): \(reason)" }
}

/// Why a check has nothing good to say: the sink breaks the contract, or the kit could not do its work.
public struct SinkContractError: Error, Sendable, CustomStringConvertible {
    /// What the sink breaks; empty when the kit could not do its work.
    public let violations: [SinkContractViolation]
    /// What is wrong, a line for each violation.
    public let description: String

    init(violations: [SinkContractViolation]) {
        self.violations = violations
        description = (["the sink contract is broken"] + violations.map(\.description)).joined(separator: "\n")
    }

    init(hanging verb: Verb, _ patience: Duration) {
        violations = []
        description = "the sink contract cannot be checked: \(verb.rawValue) has not returned for \(patience), the plan's patience"
    }

    init(cannotCheck reason: String) {
        violations = []
        description = "the sink contract cannot be checked here: \(reason)"
    }
}
