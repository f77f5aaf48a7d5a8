import CallreelCore
import CallreelEngine
import CallreelSinks
import Foundation
import Testing

/// Entries that are right by themselves and could not both record a call.
@Suite struct SinkEntriesTests {
    private func problems(_ sinks: String, home: String? = "recordings") throws -> [String] {
        var problems: [ConfigurationProblem] = []
        let value = try JSONValue(parsing: Data("[\(sinks)]".utf8))
        _ = SinkPlan.read(
            value, at: .root.key("sinks"), registry: .builtIn, formats: [AudioFormat(sampleRate: 16000)], home: home,
            problems: &problems)
        return problems.map(\.description)
    }

    private static let copy = #""type": "exec", "command": ["cp", "/dev/stdin", "{output}"]"#

    @Test(arguments: [
        (#"{"type": "wav"}, {\#(copy), "extension": "wav"}"#, ".wav"),
        (#"{"type": "wav"}, {\#(copy), "extension": "WAV"}"#, ".WAV"),
        (#"{"type": "flac"}, {\#(copy), "extension": "flac"}"#, ".flac"),
        (#"{"type": "raw"}, {\#(copy), "extension": "raw"}"#, ".raw"),
        (#"{\#(copy), "extension": "ogg"}, {"type": "sndfile", "format": "vorbis"}"#, ".ogg"),
        (#"{"type": "sndfile", "directory": "recordings/"}, {\#(copy), "extension": "opus"}"#, ".opus"),
        (#"{"type": "sndfile", "directory": "/x/../a"}, {\#(copy), "extension": "opus", "directory": "/a/"}"#, ".opus"),
        (
            #"{"type": "wav", "directory": "/a", "fallback": "/z"}, {\#(copy), "extension": "wav", "directory": "/b", "fallback": "/z"}"#,
            ".fallback.wav"
        ),
    ])
    func `two entries that would make the same file are refused`(sinks: String, ending: String) throws {
        let reason =
            #"would create the same NAME\#(ending) as sinks[0]: set a "directory" for one of them"#
        #expect(try problems(sinks) == ["sinks[1]: \(reason)"])
    }

    @Test(arguments: [
        #"{"type": "wav"}, {"type": "wav"}, {"type": "wav", "name": "third"}"#,
        #"{"type": "wav"}, {\#(copy), "extension": "wav", "directory": "/a"}"#,
        #"{"type": "wav", "enabled": false}, {\#(copy), "extension": "wav"}"#,
        #"{"type": "wav"}, {"type": "exec", "command": ["wc"]}, {\#(copy), "extension": "wav"}"#,
        #"{"type": "wav", "directory": "/a", "fallback": "/b"}, {\#(copy), "extension": "wav", "directory": "/b"}"#,
    ])
    func `entries whose files have other names or places are taken`(sinks: String) throws {
        #expect(try problems(sinks) == [])
    }

    @Test(arguments: ["part2", "PART10", "part0", "fallback", "Fallback", "json"])
    func `a name that stands in names of files is refused`(
        name: String
    ) throws {
        #expect(
            try problems(#"{"type": "wav", "name": "\#(name)"}"#) == [
                "sinks[0].name: \"\(name)\" is a reserved name"
            ])
    }

    @Test(arguments: ["part", "party", "parts2", "part-2", "jsonl"]) func `a name that only looks like one is taken`(
        name: String
    ) throws {
        #expect(try problems(#"{"type": "wav", "name": "\#(name)"}"#) == [])
    }

    @Test(arguments: [
        (#""directory": "/a", "fallback": "/a/""#, "/a/"), (#""fallback": "./recordings""#, "./recordings"),
    ])
    func `a fallback that is the directory itself, however it is written, is refused`(keys: String, path: String) throws
    {
        #expect(
            try problems(#"{"type": "wav", \#(keys)}"#) == [
                "sinks[0].fallback: \"\(path)\" is the directory itself; name another one"
            ])
    }

    @Test(arguments: ["null", "memory"])
    func `a sink for tests is no type that an operator may ask for, and one that a program may`(type: String)
        throws
    {
        #expect(
            try problems(#"{"type": "\#(type)"}"#).first?.hasPrefix("sinks[0].type: \"\(type)\" is not a known type")
                == true)
        var registry = SinkRegistry.builtIn
        registry.register(NullSink.self)
        registry.register(MemorySink.self)
        var found: [ConfigurationProblem] = []
        let plans = SinkPlan.read(
            .array([.object(["type": .string(type)])]), at: .root, registry: registry, problems: &found)
        #expect(found.isEmpty && plans.map(\.type) == [type])
    }
}
