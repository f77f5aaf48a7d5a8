import CallreelTesting
import Foundation
import Testing

/// The document of the contract and the kit have the same rules and numbers.
@Suite struct DocumentTests {
    /// A row of a table of rules.
    private struct Row {
        let number: String
        let weight: String
        let text: String
        let kit: String
    }

    private static func rows() throws -> [Row] {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "../../Docs/Internals/SinkContract.md"
        ).standardized
        let lines = try String(contentsOf: path, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| S") }
        return try lines.map { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            try #require(cells.count == 4, "\(line)")
            return Row(number: cells[0], weight: cells[1], text: cells[2], kit: cells[3])
        }
    }

    @Test func `every number of the kit is in the document with its text, and every other one is marked`() throws {
        let rows = try Self.rows()
        let checked = rows.filter { $0.kit != "-" }
        #expect(checked.map(\.number) == SinkContractRule.all.map(\.number))
        for (row, rule) in zip(checked, SinkContractRule.all) {
            #expect(row.text.hasPrefix(rule.text), "\(rule) is called otherwise in the document: \(row.text)")
        }
        #expect(rows.map(\.number) == (1...rows.count).map { "S\($0)" })
        #expect(rows.allSatisfy { ["MUST", "SHOULD"].contains($0.weight) })
        // The kit reports only breaches, so each of these rules must be a duty.
        #expect(checked.allSatisfy { $0.weight == "MUST" })
    }
}
