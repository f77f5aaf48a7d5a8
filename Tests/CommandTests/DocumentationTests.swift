import Foundation
import TestSupport
import Testing

@Suite struct DocumentationTests {
    private static let project = URL(fileURLWithPath: Speech.fixture("../..")).standardizedFileURL

    @Test func `every threat names tests that there are`() throws {
        let threats = try String(contentsOf: Self.project.appendingPathComponent("Docs/ThreatModel.md"), encoding: .utf8)
        let tests = TemporaryDirectory.files(below: Self.project.appendingPathComponent("Tests").path).filter { $0.hasSuffix("Tests.swift") }
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
}
