import Foundation
import TestSupport
import Testing

@Suite struct DocumentationTests {
    private static let project = URL(fileURLWithPath: Speech.fixture("../..")).standardizedFileURL

    @Test func `every threat names tests that there are`() throws {
        let threats = try String(
            contentsOf: Self.project.appendingPathComponent("Docs/Internals/ThreatModel.md"), encoding: .utf8)
        let tests = TemporaryDirectory.files(below: Self.project.appendingPathComponent("Tests").path).filter {
            $0.hasSuffix("Tests.swift")
        }
        let code = try tests.map { try String(contentsOfFile: $0, encoding: .utf8) }.joined()
        let rows = threats.components(separatedBy: "## Threats")[1].components(separatedBy: "\n## ")[0]
            .split(separator: "\n").filter { $0.hasPrefix("|") }.dropFirst(2)
        #expect(rows.count > 20)
        for row in rows {
            let names = (row.split(separator: "|").last ?? "").matches(of: /`([^`]+)`/).map { String($0.1) }
            #expect(!names.isEmpty, "\(row)")
            for name in names { #expect(code.contains("func `\(name)`"), "there is no test \(name)") }
        }
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.project.appendingPathComponent(path), encoding: .utf8)
    }

    @Test func `the code of the tutorial is the code of the example`() throws {
        let tutorial = try text("Docs/Guide/WritingASink.md")
        let blocks = tutorial.matches(of: /\n`([^`\n]+)`:\n\n```\w+\n((?s:.*?)\n)```\n/)
        for block in blocks { #expect(try String(block.2) == text("Examples/LevelMeter/\(block.1)"), "\(block.1)") }
        // Every file of the example is in the document, so that a reader who copies the blocks has all of it.
        let example = TemporaryDirectory.files(below: Self.project.appendingPathComponent("Examples/LevelMeter").path)
        #expect(example.count > 5)
        for file in example
        where !file.contains("/.build/") && !file.contains("/recordings/") && !file.hasSuffix("Package.resolved") {
            #expect(blocks.contains { file.hasSuffix("/Examples/LevelMeter/\($0.1)") }, "\(file)")
        }
    }

    @Test func `the tutorial knows every kind of field`() throws {
        let tutorial = try text("Docs/Guide/WritingASink.md")
        let fields =
            try text("Sources/Core/Configuration/Field.swift") + text("Sources/Core/Configuration/Field+Kinds.swift")
        let kinds = Set(fields.matches(of: /public static func (\w+)/).map { String($0.1) })
        #expect(kinds.count > 6)
        for kind in kinds { #expect(tutorial.contains("| `.\(kind)("), "\(kind)") }
    }
}
