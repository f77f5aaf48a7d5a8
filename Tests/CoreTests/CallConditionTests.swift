import TestSupport
import Testing

@testable import CallreelCore

/// The condition of an entry: the calls for which it is meant.
@Suite struct CallConditionTests {
    private let call = CallFacts(
        carrier: "vonage", from: "441632960100", to: "+442079460000", uuid: "U1",
        headers: ["department": "Sales", "DEPARTMENT": "x", "Priority": 2, "vip": true, "list": .array(["a"])])

    private func condition(_ text: String) throws -> CallCondition {
        var problems: [ConfigurationProblem] = []
        let condition = CallCondition(try .parse(text), at: .root.key("when"), problems: &problems)
        #expect(problems == [])
        return condition
    }

    @Test(arguments: [
        (#"{"to": ["+4420*"]}"#, nil), (#"{"to": "4420*"}"#, nil), (#"{"from": ["+44*"]}"#, nil),
        (#"{"to": ["+1*", "+44*"]}"#, nil), (#"{"to": ["+442079460000"]}"#, nil), (#"{"to": ["*"]}"#, nil),
        (#"{"to": ["+4420"]}"#, "to"), (#"{"to": ["20*"]}"#, "to"), (#"{"to": ["+44*1"]}"#, "to"),
        (#"{"to": ["*79*60*"]}"#, nil), (#"{"to": ["*79*79*"]}"#, "to"), (#"{"to": ["+442079460000*0"]}"#, "to"),
        (#"{"carrier": ["twilio"], "to": ["+1*"]}"#, "carrier"), (#"{"carrier": ["VONAGE"]}"#, nil),
        (#"{"uuid": ["u*"]}"#, nil), (#"{"conversation": ["*"]}"#, "conversation"),
        (#"{"header.department": ["sales"]}"#, nil), (#"{"header.Department": ["s*s"]}"#, nil),
        (#"{"header.Department": ["X"]}"#, nil),
        (#"{"header.department": ["support"]}"#, "header.department"), (#"{"header.priority": ["2"]}"#, nil),
        (#"{"header.vip": ["true"]}"#, nil), (#"{"header.list": ["*"]}"#, "header.list"),
        (#"{"header.other": ["*"]}"#, "header.other"),
        (#"{"not": {"from": ["+44163*"]}}"#, "not"), (#"{"not": {"from": ["+33*"]}}"#, nil),
        (#"{"not": {"from": ["+44*"], "to": ["+1*"]}}"#, nil),
        (#"{"not": [{"from": ["+33*"]}, {"to": ["+44*"]}]}"#, "not"),
        (#"{"to": ["+44*"], "not": {"header.department": ["*"]}}"#, "not"),
    ])
    func `a call meets a condition if each key has a pattern for its fact`(text: String, mismatch: String?) throws {
        let condition = try condition(text)
        #expect(condition.mismatch(call) == mismatch)
        // The condition says the same after a way through its own JSON.
        #expect(try self.condition(condition.json.json()).mismatch(call) == mismatch)
    }

    @Test(arguments: [
        ("{}", ["when: {} is not an object with patterns such as {\"to\": [\"+4420*\"]}"]),
        ("[]", ["when: [] is not an object with patterns such as {\"to\": [\"+4420*\"]}"]),
        (#"{"too": ["1"]}"#, ["when.too: unknown key; did you mean \"to\"?"]),
        (#"{"to": []}"#, ["when.to: is an empty list, so no call could match"]),
        (
            #"{"to": [1, ""]}"#,
            [
                "when.to[0]: 1 is not a pattern in double quotes, such as \"+4420*\"",
                "when.to[1]: \"\" is not a pattern in double quotes, such as \"+4420*\"",
            ]
        ),
        (#"{"not": []}"#, ["when.not: is an empty list; leave the key out"]),
        (
            #"{"not": {"not": {"to": "1"}}}"#,
            [
                "when.not.not: unknown key; known keys are carrier, from, to, uuid, conversation, header.NAME"
            ]
        ),
        (
            #"{"header.": "1"}"#,
            [
                "when.header.: unknown key; known keys are carrier, from, to, uuid, conversation, header.NAME, not"
            ]
        ),
    ]) func `a mistake in a condition is named with its place`(text: String, expected: [String]) throws {
        var problems: [ConfigurationProblem] = []
        _ = CallCondition(try .parse(text), at: .root.key("when"), problems: &problems)
        #expect(problems.map(\.description) == expected)
    }

    @Test func `a pattern from a hostile hand and a long text end soon`() throws {
        let text = String(repeating: "a", count: 100_000)
        let pattern = TextPattern(String(repeating: "*a", count: 127) + "b")
        #expect(!pattern.matches(text))
        #expect(TextPattern(String(repeating: "*", count: 256)).matches(text))
    }
}
