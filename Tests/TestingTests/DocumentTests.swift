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

    private static func rows(of name: String, _ letter: String) throws -> [Row] {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "../../Docs/Internals/\(name).md"
        ).standardized
        let lines = try String(contentsOf: path, encoding: .utf8).split(separator: "\n").filter {
            $0.hasPrefix("| \(letter)")
        }
        return try lines.map { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            try #require(cells.count == 4, "\(line)")
            return Row(number: cells[0], weight: cells[1], text: cells[2], kit: cells[3])
        }
    }

    @Test func `every number of the kit is in the document with its text, and every other one is marked`() throws {
        let rows = try Self.rows(of: "SinkContract", "S")
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

    @Test func `every rule of the carrier kit is in its document with its text`() throws {
        let rows = try Self.rows(of: "CarrierContract", "C"), checked = rows.filter { $0.kit != "-" }
        #expect(checked.map(\.number) == CarrierContractRule.all.map(\.number))
        for (row, rule) in zip(checked, CarrierContractRule.all) {
            #expect(row.text.hasPrefix(rule.text), "\(rule) is called otherwise in the document: \(row.text)")
        }
        #expect(rows.map(\.number) == (1...rows.count).map { "C\($0)" })
        #expect(checked.allSatisfy { $0.weight == "MUST" })
    }

    @Test func `every rule of the delivery kit is in its document with its text`() throws {
        let rows = try Self.rows(of: "DeliveryContract", "D"), checked = rows.filter { $0.kit != "-" }
        #expect(checked.map(\.number) == DeliveryContractRule.all.map(\.number))
        for (row, rule) in zip(checked, DeliveryContractRule.all) {
            #expect(row.text.hasPrefix(rule.text), "\(rule) is called otherwise in the document: \(row.text)")
        }
        #expect(rows.map(\.number) == (1...rows.count).map { "D\($0)" })
        #expect(rows.allSatisfy { ["MUST", "SHOULD"].contains($0.weight) })
        #expect(checked.allSatisfy { $0.weight == "MUST" })
    }

    @Test func `every rule of the filter kit is in its document with its text`() throws {
        let rows = try Self.rows(of: "FilterContract", "L"), checked = rows.filter { $0.kit != "-" }
        #expect(checked.map(\.number) == FilterContractRule.all.map(\.number))
        for (row, rule) in zip(checked, FilterContractRule.all) {
            #expect(row.text.hasPrefix(rule.text), "\(rule) is called otherwise in the document: \(row.text)")
        }
        #expect(rows.map(\.number) == (1...rows.count).map { "L\($0)" })
        #expect(checked.allSatisfy { $0.weight == "MUST" })
    }
}
