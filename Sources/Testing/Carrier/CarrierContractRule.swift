/// A rule of the carrier contract. Its number and text are the same in `Docs/Internals/CarrierContract.md`.
public struct CarrierContractRule: Hashable, Sendable, CustomStringConvertible {
    /// The rule's number, such as `C8`.
    public let number: String
    /// The behaviour that the rule requires.
    public let text: String

    /// The number and the text, such as `C9: The same messages have the same meaning`.
    public var description: String { "\(number): \(text)" }

    // MARK: Configuration

    public static let name = Self(number: "C1", text: "The type is a letter, then letters and digits")
    public static let summary = Self(number: "C2", text: "The summary is one line and not empty")
    public static let optionsAsJSON = Self(
        number: "C3", text: "Every value of the options can be read back from its own JSON")
    public static let strictOptions = Self(number: "C4", text: "An option takes valid values and refuses all others")
    public static let paths = Self(
        number: "C5", text: "The standard paths begin with a slash, and are letters, digits, slashes, - and _")

    // MARK: Requests

    public static let webhookNames = Self(
        number: "C6", text: "Webhooks have different names of letters, digits, - and _")
    public static let webhookAnswers = Self(
        number: "C7", text: "A webhook answers equal requests alike, whatever they hold")
    public static let admission = Self(
        number: "C8", text: "The carrier recognizes and admits equal requests alike, whatever they hold")

    // MARK: Messages

    public static let oneCall = Self(
        number: "C9", text: "A whole conversation begins one call, which names the carrier's type")
    public static let purity = Self(number: "C10", text: "The same messages have the same meaning")
    public static let order = Self(number: "C11", text: "No audio comes before the call has begun")
    public static let earlyBinary = Self(
        number: "C12", text: "A binary message before the call has begun is refused")
    public static let tolerance = Self(
        number: "C13", text: "Once the call has begun, a message that cannot be read does not end it")

    // MARK: Words

    public static let refusals = Self(number: "C14", text: "A refusal states its reason, in one line")
    public static let secrets = Self(number: "C15", text: "No answer, event or refusal reveals a secret")

    /// All rules, in the order of their numbers.
    public static let all = [
        name, summary, optionsAsJSON, strictOptions, paths, webhookNames, webhookAnswers, admission, oneCall, purity,
        order, earlyBinary, tolerance, refusals, secrets,
    ]
}

/// A rule of the carrier contract that a carrier breaks, and the evidence.
public struct CarrierContractViolation: Error, Hashable, Sendable, CustomStringConvertible {
    /// The broken rule.
    public let rule: CarrierContractRule
    /// The test, its result, and the expected result.
    public let reason: String

    /// The rule and the reason.
    public var description: String { "\(rule.number) (\(rule.text)): \(reason)" }
}

/// The error of a failed check: the carrier breaks the contract.
public struct CarrierContractError: Error, Sendable, CustomStringConvertible {
    /// The violations.
    public let violations: [CarrierContractViolation]

    /// One line for each violation.
    public var description: String {
        (["the carrier contract is broken"] + violations.map(\.description)).joined(separator: "\n")
    }
}
