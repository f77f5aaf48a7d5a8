import Foundation
import TestSupport
import Testing

@testable import CallreelCore

private enum Colour: String, CaseIterable, Sendable { case red, green }

private struct Inner: Configurable {
    var depth = 3
    var limit: Int?

    static let fields: [Field<Self>] = [
        .integer("depth", \.depth, in: 1...9, "How deep."),
        .integer("limit", \.limit, in: 0...100, "At most; null is no limit."),
    ]
}

private struct Everything: Configurable {
    var count = 12
    var most: Int? = 7
    var ratio = 0.25
    var isOn = true
    var title = "plain"
    var nickname: String?
    var colour = Colour.green
    var inner = Inner()

    static let fields: [Field<Self>] = [
        .integer("count", \.count, in: 0...99, "A count."),
        .integer("most", \.most, in: 0...9, "A limit; null is none."),
        .number("ratio", \.ratio, in: 0...2, "A ratio."),
        .boolean("isOn", \.isOn, "A switch."),
        .string("title", \.title, "A text.") { $0.isEmpty ? "is empty" : nil },
        .string("nickname", \.nickname, "A text or none.") { $0 == "bad" ? "is bad" : nil },
        .choice("colour", \.colour, "A colour."),
        .section("inner", \.inner, "A group."),
    ]
}

@Suite struct ConfigurableTests {
    /// Reads JSON text, and returns the problems as an operator sees them.
    private func read(_ text: String, alongside: [String]? = []) throws -> (Everything, [String]) {
        var problems: [ConfigurationProblem] = []
        let value = Everything.read(try .parse(text), at: .root, alongside: alongside, problems: &problems)
        return (value, problems.map(\.description))
    }

    @Test func `an empty object is all defaults`() throws {
        let (value, problems) = try read("{}")
        #expect(problems.isEmpty)
        #expect(value.json == Everything().json)
    }

    @Test func `every value is read into its place`() throws {
        let (value, problems) = try read(
            """
            {"count": 3, "most": null, "ratio": 1, "isOn": false, "title": "t", "nickname": "n", "colour": "red",
             "inner": {"depth": 9, "limit": 100}}
            """)
        #expect(problems.isEmpty)
        #expect(value.count == 3)
        #expect(value.most == nil)
        #expect(value.ratio == 1)
        #expect(!value.isOn)
        #expect(value.title == "t")
        #expect(value.nickname == "n")
        #expect(value.colour == .red)
        #expect(value.inner.depth == 9)
        #expect(value.inner.limit == 100)
    }

    @Test(arguments: [
        (#"{"cuont": 1}"#, #"cuont: unknown key; did you mean "count"?"#),
        (
            #"{"zzzzz": 1}"#,
            "zzzzz: unknown key; known keys are colour, count, inner, isOn, most, nickname, ratio, title"
        ),
        (#"{"count": "3"}"#, #"count: "3" is not a whole number in 0...99"#),
        (#"{"count": 1.5}"#, "count: 1.5 is not a whole number in 0...99"),
        (#"{"count": true}"#, "count: true is not a whole number in 0...99"),
        (#"{"count": null}"#, "count: null is not a whole number in 0...99"),
        (#"{"count": 100}"#, "count: 100 is outside 0...99"),
        (#"{"most": -1}"#, "most: -1 is outside 0...9"),
        (#"{"ratio": "1"}"#, #"ratio: "1" is not a number in 0.0...2.0"#),
        (#"{"ratio": 2.1}"#, "ratio: 2.1 is outside 0.0...2.0"),
        (#"{"isOn": 1}"#, "isOn: 1 is not true or false"),
        (#"{"title": 1}"#, "title: 1 is not text in double quotes"),
        (#"{"title": null}"#, "title: null is not text in double quotes"),
        (#"{"title": ""}"#, #"title: "" is empty"#),
        (#"{"nickname": "bad"}"#, #"nickname: "bad" is bad"#),
        (#"{"colour": "gren"}"#, #"colour: "gren" is not one of red, green; did you mean "green"?"#),
        (#"{"colour": 1}"#, "colour: 1 is not one of red, green"),
        (#"{"inner": 1}"#, "inner: 1 is not an object with keys such as depth, limit"),
        (#"{"inner": {"dept": 1}}"#, #"inner.dept: unknown key; did you mean "depth"?"#),
        (#"{"inner": {"depth": 10}}"#, "inner.depth: 10 is outside 1...9"),
        ("[]", "[] is not an object with keys such as count, most, ratio, isOn, title, nickname, colour, inner"),
    ])
    func `a mistake is named with its place and what would be right`(text: String, problem: String) throws {
        let (value, problems) = try read(text)
        #expect(problems == [problem])
        #expect(value.json == Everything().json, "what could not be read keeps its default")
    }

    @Test func `null is no value where null may stand`() throws {
        let (value, problems) = try read(#"{"most": null, "nickname": null, "inner": {"limit": null}}"#)
        #expect(problems.isEmpty)
        #expect(value.most == nil)
    }

    @Test func `all mistakes are found at once, and the rest is read`() throws {
        let (value, problems) = try read(
            #"{"count": 100, "colour": 5, "ratio": 2, "inner": {"depth": 0, "lmit": 1, "limit": 5}, "b": 0, "a": 0}"#)
        let paths = problems.map { $0.prefix { $0 != ":" } }
        #expect(paths == ["a", "b", "count", "colour", "inner.lmit", "inner.depth"])
        #expect(value.ratio == 2)
        #expect(value.inner.limit == 5)
    }

    @Test func `keys that somebody else reads are known, and nil leaves the looking to others`() throws {
        #expect(try read(#"{"type": 1}"#, alongside: ["type"]).1.isEmpty)
        #expect(try read(#"{"type": 1}"#, alongside: ["other"]).1.count == 1)
        #expect(try read(#"{"type": 1}"#, alongside: nil).1.isEmpty)
    }

    @Test func `paths lead through objects and arrays`() {
        #expect("\(ConfigurationPath.root.key("sinks").index(1).key("level"))" == "sinks[1].level")
        #expect("\(ConfigurationProblem(at: .root, "is bad"))" == "is bad")
    }

    @Test func `what is written reads back as itself`() throws {
        var all = Everything()
        all.count = 99
        all.most = nil
        all.ratio = 0.1
        all.title = "a \"b\""
        all.nickname = "n"
        all.colour = .red
        all.inner.limit = 4
        for value in [Everything(), all] {
            let (again, problems) = try read(JSONValue.object(value.json).json())
            #expect(problems.isEmpty)
            #expect(again.json == value.json)
        }
    }

    @Test func `the defaults of the program's own groups read back as themselves`() throws {
        var problems: [ConfigurationProblem] = []
        #expect(
            SinkEnvelope.read(.object(SinkEnvelope().json), at: .root, problems: &problems).json == SinkEnvelope().json)
        #expect(problems.isEmpty)
    }

    @Test func `the schema has every key with its type, meaning and default, and no other`() throws {
        let schema = Everything.schema(alongside: ["type": "x"])
        #expect(schema["additionalProperties"] == false)
        let properties = try #require(schema["properties"])
        guard case .object(let members) = properties else { return #expect(Bool(false), "properties are an object") }
        #expect(members.keys.sorted() == (Everything.fields.map(\.name) + ["type"]).sorted())
        for field in Everything.fields where field.name != "inner" {
            #expect(properties[field.name]?["description"] == .string(field.help))
            #expect(properties[field.name]?["default"] == Everything().json[field.name])
        }
        #expect(properties["count"]?["minimum"] == 0)
        #expect(properties["count"]?["maximum"] == 99)
        #expect(properties["most"]?["type"] == .array(["integer", "null"]))
        #expect(properties["colour"]?["enum"] == .array(["red", "green"]))
        #expect(properties["inner"]?["properties"]?["limit"]?["description"] == "At most; null is no limit.")
    }

    @Test func `a field says in words what may stand there`() {
        let types = Dictionary(uniqueKeysWithValues: Everything.fields.map { ($0.name, $0.type) })
        #expect(types["count"] == "whole number, 0...99")
        #expect(types["most"] == "whole number, 0...9, or null")
        #expect(types["colour"] == "one of red, green")
        #expect(types["nickname"] == "text, or null")
    }

    private struct Demanding: Configurable {
        var program = ["wc"]
        var level = 1
        static let fields: [Field<Self>] = [
            .strings("program", \.program, of: "words", "What is run.").required(),
            .integer("level", \.level, in: 0...9, "How much."),
        ]
    }

    @Test func `a key that must be given is asked for where it is missing, and not where it is mistyped`() throws {
        func problems(_ text: String) throws -> [String] {
            var problems: [ConfigurationProblem] = []
            _ = Demanding.read(try .parse(text), at: .root.key("x"), problems: &problems)
            return problems.map(\.description)
        }
        #expect(try problems(#"{"program": ["ls"]}"#) == [])
        #expect(
            try problems(#"{"level": 2}"#) == [
                #"x.program: is missing; expected: list of words, such as ["wc"]"#
            ])
        #expect(try problems(#"{"progam": []}"#) == [#"x.progam: unknown key; did you mean "program"?"#])
        let schema = Demanding.schema()
        #expect(schema["required"] == .array(["program"]))
        #expect(
            schema["properties"]?["program"]?["default"] == nil
                && schema["properties"]?["program"]?["examples"] == .array([.array(["wc"])]))
        #expect(schema["properties"]?["level"]?["default"] == 1)
        #expect(Inner.schema()["required"] == nil)
    }
}
