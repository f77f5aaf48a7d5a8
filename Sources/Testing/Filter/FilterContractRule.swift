/// A rule of the filter contract. Its number and text are the same in `Docs/Internals/FilterContract.md`.
public struct FilterContractRule: Hashable, Sendable, CustomStringConvertible {
    /// The rule's number, such as `L6`.
    public let number: String
    /// The behaviour that the rule requires.
    public let text: String

    /// The number and the text, such as `L8: The sizes of the chunks change nothing`.
    public var description: String { "\(number): \(text)" }

    public static let name = Self(number: "L1", text: "The type is a letter, then letters and digits")
    public static let summary = Self(number: "L2", text: "The summary is one line and not empty")
    public static let optionsAsJSON = Self(
        number: "L3", text: "Every value of the options can be read back from its own JSON")
    public static let strictOptions = Self(number: "L4", text: "An option takes valid values and refuses all others")
    public static let opening = Self(
        number: "L5", text: "The filter can be made for every shape of a call's audio, or says why not")
    public static let order = Self(
        number: "L6", text: "Each frame is kept or cut, once, in order and at its place, after it was taken")
    public static let finish = Self(number: "L7", text: "Finish passes on every frame that is held back")
    public static let chunking = Self(number: "L8", text: "The sizes of the chunks change nothing")
    public static let start = Self(number: "L9", text: "The place of the first frame changes only places")
    public static let silence = Self(number: "L10", text: "Masked and inserted silence stays silence or is cut")
    public static let instances = Self(
        number: "L11", text: "Instances at work at the same time do not affect each other")
    public static let delay = Self(number: "L12", text: "Less than a second of audio is held back")

    /// All rules, in the order of their numbers.
    public static let all = [
        name, summary, optionsAsJSON, strictOptions, opening, order, finish, chunking, start, silence, instances, delay,
    ]
}

/// A rule of the filter contract that a filter breaks, and the evidence.
public struct FilterContractViolation: Error, Hashable, Sendable, CustomStringConvertible {
    /// The broken rule.
    public let rule: FilterContractRule
    /// The test, its result, and the expected result.
    public let reason: String

    /// The rule and the reason.
    public var description: String { "\(rule.number) (\(rule.text)): \(reason)" }
}

/// The error of a failed check: the filter breaks the contract.
public struct FilterContractError: Error, Sendable, CustomStringConvertible {
    /// The violations.
    public let violations: [FilterContractViolation]

    /// One line for each violation.
    public var description: String {
        (["the filter contract is broken"] + violations.map(\.description)).joined(separator: "\n")
    }
}
