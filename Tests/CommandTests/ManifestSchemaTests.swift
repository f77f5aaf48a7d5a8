import CallreelCore
import Foundation
import TestSupport
import Testing

/// The promise of the manifest, as a schema.
@Suite struct ManifestSchemaTests {
    private static let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The manifest in the document, with a whole hash.
    private func example() throws -> String {
        let text = try String(
            contentsOf: Self.project.appendingPathComponent("Docs/Reference/Manifest.md"), encoding: .utf8)
        let block = try #require(text.firstMatch(of: /```json\n((?s:.*?))\n```/))
        return String(block.1).replacing("a1f0…", with: String(repeating: "a1f0", count: 16))
    }

    /// Changes to the example, each of which breaks the promise.
    private static let breaks: [(String, String)] = [
        (#""version" : 1"#, #""version" : 2"#), (#""framesReceived" : 176000"#, #""framesReceived" : "176000""#),
        (#""state" : "complete""#, #""state" : "recording""#), (#""lost" : 0"#, #""lost" : 0.5"#),
        (#""bytes" : 352000"#, #""bytes" : -1"#), ("a1f0a1f0", "a1f0"), (#""carrier" : "vonage","#, ""),
        (#"[ [ 64000, 104000 ] ]"#, "[]"), (#"[ [ 64000, 104000 ] ]"#, "[ [ 64000 ] ]"),
        (#""name" : "raw""#, #""name" : "raw", "directories" : []"#),
        (#""startedAt" : "2026-"#, #""startedAt" : "26-"#),
        (#""droppedEvents" : 0"#, #""droppedEvents" : 0, "maskedEvents" : 0"#),
        (#""droppedEvents" : 0"#, #""droppedEvents" : 0, "owner" : "x""#),
    ]

    @Test func `the manifest in the document keeps its promise, and no key is in one of the two alone`() throws {
        let example = try example()
        #expect(try ManifestSchema.problems(Data(example.utf8)) == [])
        let schema = try JSONValue(parsing: Data(contentsOf: URL(fileURLWithPath: ManifestSchema.path)))
        let document = try String(
            contentsOf: Self.project.appendingPathComponent("Docs/Reference/Manifest.md"), encoding: .utf8)
        func rows(_ prefix: String) -> Set<String> {
            let row = #/\n\| `(?<key>[A-Za-z0-9.\[\]]+)` \| [^|\n]+ \| [^|\n]+ \| /#
            return Set(document.matches(of: row).map { String($0.key) }.filter { $0.hasPrefix(prefix) })
        }
        func keys(_ value: JSONValue?, _ path: String = "") -> Set<String> {
            guard case .object(let properties) = value?["properties"] else { return [] }
            return properties.reduce(into: []) { found, property in
                let name = path + property.key
                let inner = keys(property.value, name + ".").union(keys(property.value["items"], name + "[]."))
                found.formUnion(inner.isEmpty || property.value["items"] != nil ? inner.union([name]) : inner)
            }
        }
        let written = rows("").map { $0.replacing(/^files\[\]/, with: "sinks[].files[]") }
        // The document describes a sink's format as a whole.
        let promised = keys(schema).filter { !$0.hasPrefix("sinks[].format.") }.union(["call", "sinks[].ranges"])
        #expect(Set(written).subtracting(["sinks[].format"]) == promised)
    }

    @Test func `the tests' judge of manifests agrees with another one`() async throws {
        let directory = TemporaryDirectory(), example = try example()
        let texts = [example] + Self.breaks.map { example.replacing($0.0, with: $0.1) }
        #expect(Set(texts).count == texts.count)
        var files: [String] = []
        for (number, text) in texts.enumerated() {
            files.append("\(directory.path)/\(number).json")
            try text.write(toFile: files[number], atomically: true, encoding: .utf8)
        }
        let output = try await Program("python3").output(
            [Speech.fixture("schema_judge.py"), ManifestSchema.path] + files)
        let verdicts = try JSONValue(parsing: output)
        for (file, text) in zip(files, texts) {
            guard case .array(let theirs) = verdicts[file] else { throw Missing() }
            let ours = try ManifestSchema.problems(Data(text.utf8))
            #expect(ours.isEmpty == theirs.isEmpty && theirs.isEmpty == (text == example), "\(ours) \(theirs)")
        }
    }

    private struct Missing: Error {}
}
