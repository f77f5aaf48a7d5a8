import CallreelCore
import Testing

@testable import CallreelServer

@Suite struct SubstitutionTests {
    private func substituted(_ text: String, _ environment: [String: String] = ["A": "1", "B_2": "${A}", "D": "$"]) -> (
        JSONValue, [String]
    ) {
        var problems: [ConfigurationProblem] = []
        let result = EnvironmentSubstitution(environment, in: .object(["x": .string(text)]), problems: &problems)
        return (result.value["x"] ?? .null, problems.map(\.description))
    }

    @Test(arguments: [
        ("plain $A $ {A}", "plain $A $ {A}"), ("${A}", "1"), ("a${A}b${A}", "a1b1"), ("${B_2}", "${A}"),
        ("$${A}", "${A}"),
        ("x$${A}y${A}", "x${A}y1"),
        ("$${", "${"), ("$${x", "${x"), ("${A}$${A}", "1${A}"), ("${D}${A}", "$1"),
        ("echo $${1%.wav}", "echo ${1%.wav}"),
    ])
    func `a name in braces is its variable, and two dollars are one`(text: String, result: String) {
        let (value, problems) = substituted(text)
        #expect(value == .string(result) && problems.isEmpty, "\(value) \(problems)")
    }

    @Test(arguments: [
        ("${C}", "x: the environment variable C is not set; $${ stands for ${ itself"),
        ("${A", "x: has a ${ without its }; $${ stands for ${ itself"),
        ("${1%.wav}", #"x: "1%.wav" cannot be the name of an environment variable; $${ stands for ${ itself"#),
        ("${}", #"x: "" cannot be the name of an environment variable; $${ stands for ${ itself"#),
    ])
    func `what is no variable that is set is refused, with the way to say it`(text: String, problem: String) {
        #expect(substituted(text).1 == [problem])
    }
}
