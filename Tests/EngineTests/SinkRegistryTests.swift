import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

private struct HidingOptions: Configurable {
    var buffer = 1
    static let fields: [Field<Self>] = [.integer("buffer", \.buffer, in: 0...1, "Hides the key that every sink has.")]
}

/// A sink that does nothing, with names and options chosen by a test.
private protocol IdleSink: AudioSink {}

extension IdleSink {
    static var summary: String { "Nothing." }
    mutating func write(_ chunk: borrowing PCMChunk) async throws(SinkError) {}
    consuming func finish(_ end: CallEnd) async throws(SinkError) -> SinkReceipt { SinkReceipt(frames: 0) }
}

private struct HidingSink: IdleSink {
    static let type = "hiding"
    init(options: HidingOptions, context: SinkContext) {}
}

private struct MisnamedSink: IdleSink {
    static let type = "2 good"
    init(options: MeterOptions, context: SinkContext) {}
}

@Suite struct SinkRegistryTests {
    @Test func `registered types are listed by name with what they do and take`() throws {
        #expect(testRegistry.types.map(\.type) == ["meter", "probe"])
        let meter = try #require(testRegistry["meter"])
        #expect(meter.summary == "Measures nothing.")
        #expect(meter.options.map(\.name) == ["level", "unit"])
        #expect(meter.options.map(\.standard) == [5, .null])
        #expect(testRegistry["wav"] == nil)
    }

    @Test func `a type's schema has its own keys and those of every sink`() throws {
        let schema = try #require(testRegistry["meter"]?.schema)
        guard case .object(let properties) = try #require(schema["properties"]) else {
            return #expect(Bool(false), "an object")
        }
        #expect(properties.keys.sorted() == (["type", "level", "unit"] + SinkEnvelope.fields.map(\.name)).sorted())
        #expect(properties["type"]?["const"] == "meter")
        #expect(schema["required"] == .array(["type"]))
        #expect(schema["additionalProperties"] == false)
    }

    @Test func `registering a name twice traps`() async {
        await #expect(processExitsWith: .failure) {
            var registry = SinkRegistry()
            registry.register(MeterSink.self)
            registry.register(MeterSink.self)
        }
    }

    @Test func `an option that hides a key of every sink traps`() async {
        await #expect(processExitsWith: .failure) {
            var registry = SinkRegistry()
            registry.register(HidingSink.self)
        }
    }

    @Test func `a malformed type traps`() async {
        await #expect(processExitsWith: .failure) {
            var registry = SinkRegistry()
            registry.register(MisnamedSink.self)
        }
    }

    @Test func `a new registry takes each type once without harm`() async {
        await #expect(processExitsWith: .success) {
            var registry = SinkRegistry()
            registry.register(MeterSink.self)
            registry.register(ProbeSink.self)
        }
    }
}

@Suite struct SinkPlanTests {
    func read(_ text: String) throws -> (plans: [SinkPlan], problems: [String]) {
        var problems: [ConfigurationProblem] = []
        let plans = SinkPlan.read(try .parse(text), at: .root.key("sinks"), registry: testRegistry, problems: &problems)
        return (plans, problems.map(\.description))
    }

    @Test(arguments: [
        (#"{}"#, #"sinks: {} is not a list of sinks such as [{"type": "wav"}]"#),
        (#"["probe"]"#, #"sinks[0]: "probe" is not a sink such as {"type": "meter"}"#),
        (#"[{}]"#, "sinks[0].type: is missing; known types are meter, probe"),
        (#"[{"type": 5}]"#, "sinks[0].type: 5 is not a known type; known types are meter, probe"),
        (
            #"[{"type": "metre"}]"#,
            #"sinks[0].type: "metre" is not a known type; known types are meter, probe; did you mean "meter"?"#
        ),
        (#"[{"type": "meter", "level": 12}]"#, "sinks[0].level: 12 is outside 0...8"),
        (#"[{"type": "meter", "levle": 1}]"#, #"sinks[0].levle: unknown key; did you mean "level"?"#),
        (#"[{"type": "meter", "bufer": 1}]"#, #"sinks[0].bufer: unknown key; did you mean "buffer"?"#),
        (#"[{"type": "meter", "buffer": 0.1}]"#, "sinks[0].buffer: 0.1 is outside 0.5...600.0"),
        (
            #"[{"type": "meter", "name": "a/b"}]"#,
            #"sinks[0].name: "a/b" has characters other than letters, digits, - and _"#
        ),
        (#"[{"type": "meter", "name": ""}]"#, #"sinks[0].name: "" has characters other than letters, digits, - and _"#),
        (
            #"[{"type": "meter", "name": "é"}]"#,
            #"sinks[0].name: "é" has characters other than letters, digits, - and _"#
        ),
        (
            #"[{"type": "meter"}, {"type": "probe", "name": "Meter"}]"#,
            #"sinks[1].name: "Meter" is already the name of another sink"#
        ),
        (
            #"[{"type": "meter", "name": "meter-2"}, {"type": "meter"}]"#,
            #"sinks[1].name: "meter-2" is already the name of another sink"#
        ),
        (#"[{"type": "meter", "enabled": false, "level": 9}]"#, "sinks[0].level: 9 is outside 0...8"),
    ])
    func `a mistake is named with its place`(text: String, problem: String) throws {
        #expect(try read(text).problems == [problem])
    }

    @Test func `mistakes of all entries are found at once`() throws {
        let problems = try read(#"[{"type": "x"}, {"type": "meter", "level": 9, "unit": 1, "nmae": "y"}, 5]"#).problems
        #expect(
            problems.map { $0.prefix { $0 != ":" } } == [
                "sinks[0].type", "sinks[1].nmae", "sinks[1].level", "sinks[1].unit", "sinks[2]",
            ])
    }

    @Test func `two of a type get different names and file stems`() throws {
        let (plans, problems) = try read(
            #"[{"type": "probe"}, {"type": "meter"}, {"type": "probe"}, {"type": "probe", "name": "third"}]"#)
        #expect(problems.isEmpty)
        #expect(plans.map(\.name) == ["probe", "meter", "probe-2", "third"])
        #expect(plans.map(\.type) == ["probe", "meter", "probe", "probe"])
        #expect(plans.map(\.isFirstOfType) == [true, true, false, false])
    }

    @Test func `a disabled entry is left out, and its name stays its own`() throws {
        let (plans, problems) = try read(#"[{"type": "probe", "enabled": false}, {"type": "probe"}]"#)
        #expect(problems.isEmpty)
        #expect(plans.map(\.name) == ["probe-2"])
    }

    @Test(arguments: [
        (#""directory": """#, "sinks[0].directory"), (#""fallback": "a\u0000b""#, "sinks[0].fallback"),
        (#""name": "Fallback""#, "sinks[0].name"),
        (#""directory": "/a", "fallback": "/a""#, "sinks[0].fallback"), (#""onError": "stop""#, "sinks[0].onError"),
        (#""sync": -1"#, "sinks[0].sync"), (#""required": 1"#, "sinks[0].required"),
    ])
    func `places and policies that make no sense are refused by their path`(text: String, path: String) throws {
        let (_, problems) = try read(#"[{"type": "meter", \#(text)}]"#)
        #expect(problems.count == 1 && problems[0].hasPrefix(path + ":"))
    }

    @Test func `what every sink has is read beside a sink's own options`() async throws {
        let (plans, problems) = try read(
            #"[{"type": "meter", "name": "loud", "buffer": 2.5, "stallLimit": 3, "checkpoint": 4, "finishLimit": 5, "level": 8}]"#
        )
        #expect(problems.isEmpty)
        let plan = try #require(plans.first)
        #expect(plan.envelope.buffer == 2.5)
        #expect(plan.envelope.stallLimit == 3)
        #expect(plan.envelope.checkpoint == 4)
        #expect(plan.envelope.finishLimit == 5)
        let queue = ChunkQueue(envelope: plan.envelope, format: .telephone) {}
        queue.close("the caller hung up")
        let workspace = try Workspace()
        let job = SinkJob(places: [workspace.place()], queue: queue, station: SinkStation(plan))
        let report = await plan.sink.run(job)
        #expect(report.details["level"] == 8)
    }
}
