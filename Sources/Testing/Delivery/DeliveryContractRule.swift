/// A rule of the delivery contract. Its number and text are the same in `Docs/Internals/DeliveryContract.md`.
public struct DeliveryContractRule: Hashable, Sendable, CustomStringConvertible {
    /// The rule's number, such as `D6`.
    public let number: String
    /// The behaviour that the rule requires.
    public let text: String

    /// The number and the text, such as `D6: A receipt means that the destination has the recording`.
    public var description: String { "\(number): \(text)" }

    // MARK: Configuration

    public static let name = Self(number: "D1", text: "The type is a letter, then letters and digits")
    public static let summary = Self(number: "D2", text: "The summary is one line and not empty")
    public static let optionsAsJSON = Self(
        number: "D3", text: "Every value of the options can be read back from its own JSON")
    public static let strictOptions = Self(number: "D4", text: "An option takes valid values and refuses all others")
    public static let answers = Self(
        number: "D5", text: "The answers refusal and obstacle are constant, and asking changes nothing")

    // MARK: Delivering

    public static let arrival = Self(number: "D6", text: "A receipt means that the destination has the recording")
    public static let repetition = Self(
        number: "D7", text: "A recording that is delivered again is still one at the destination")
    public static let independence = Self(
        number: "D8", text: "Recordings delivered at the same time do not affect each other")
    public static let ownFiles = Self(
        number: "D9", text: "The delivery changes nothing in the recordings directory")
    public static let oddRecordings = Self(
        number: "D10", text: "An odd recording is delivered, or refused with an error")
    public static let untrustedFacts = Self(
        number: "D11", text: "Facts and names are data: nothing runs them, and they lead to no other place")

    // MARK: The receipt

    public static let attachments = Self(
        number: "D12", text: "The attachments of a receipt have legal and different suffixes")
    public static let details = Self(number: "D13", text: "The details of a receipt are JSON with finite numbers")

    // MARK: Failures

    public static let noSwallowing = Self(
        number: "D14", text: "A failed destination ends the attempt with an error, and never with a receipt")
    public static let reasons = Self(
        number: "D15", text: "An error states the reason in one line, and names the destination if it failed")
    public static let recovery = Self(
        number: "D16", text: "Once the destination is back, the same instance delivers")
    public static let restart = Self(number: "D17", text: "A new instance delivers what another could not")
    public static let cancellation = Self(number: "D18", text: "An attempt that is cancelled ends soon")
    public static let release = Self(number: "D19", text: "An attempt leaves nothing open and no process behind")
    public static let secrets = Self(number: "D20", text: "No answer, error, receipt or log line reveals a secret")

    /// The rules that the kit checks, in the order of their numbers.
    public static let all: [Self] = [
        name, summary, optionsAsJSON, strictOptions, answers, arrival, repetition, independence, ownFiles,
        oddRecordings, untrustedFacts, attachments, details, noSwallowing, reasons, recovery, restart, cancellation,
        release, secrets,
    ]
}

/// A rule of the delivery contract that a delivery breaks, and the evidence.
public struct DeliveryContractViolation: Error, Hashable, Sendable, CustomStringConvertible {
    /// The broken rule.
    public let rule: DeliveryContractRule
    /// The test, its result, and the expected result.
    public let reason: String

    /// The rule and the reason.
    public var description: String { "\(rule.number) (\(rule.text)): \(reason)" }
}

/// The error of a failed check: the delivery breaks the contract, or the kit could not work.
public struct DeliveryContractError: Error, Sendable, CustomStringConvertible {
    /// The violations. Empty if the kit could not work.
    public let violations: [DeliveryContractViolation]
    /// The reason. With violations, one line for each.
    public let description: String

    init(violations: [DeliveryContractViolation]) {
        self.violations = violations
        description = (["the delivery contract is broken"] + violations.map(\.description)).joined(separator: "\n")
    }

    init(cannotCheck reason: String) {
        violations = []
        description = "cannot check the delivery contract here: \(reason)"
    }
}
