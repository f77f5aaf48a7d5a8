import Foundation
import TestSupport
import Testing

/// The walls between the targets, as the document about them draws them.
@Suite struct ArchitectureTests {
    private static let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The modules that every target may import.
    private static let free: Set = ["Foundation", "Synchronization", "Darwin", "Glibc", "Musl", "System"]

    /// The modules that the document allows, by target.
    private func walls() throws -> [String: Set<String>] {
        let text = try String(
            contentsOf: Self.project.appendingPathComponent("Docs/Internals/Architecture.md"), encoding: .utf8)
        var walls: [String: Set<String>] = [:]
        for row in text.matches(of: /\n\| `(\w+)` \|[^|\n]*\|([^|\n]*)\|([^|\n]*)\|(?=\n)/) {
            func names(_ cell: Substring) -> [String] { cell.matches(of: /\w+/).map { String($0.output) } }
            walls[String(row.1)] = Set(names(row.2).map { "Callreel" + $0 } + names(row.3))
        }
        return walls
    }

    /// The modules that a target's files import.
    private func imports(of target: String) throws -> Set<String> {
        let directory = Self.project.appendingPathComponent("Sources/\(target)").path
        var found: Set<String> = []
        // The code of a tutorial is no source of the target.
        for file in TemporaryDirectory.files(below: directory)
        where file.hasSuffix(".swift") && !file.contains(".docc/") {
            let text = try String(contentsOfFile: file, encoding: .utf8)
            for match in text.matches(
                of: /(?m)^\s*(?:@\w+ )*(?:public |package |internal )?import (?:struct |enum )?(\w+)/)
            {
                found.insert(String(match.1))
            }
        }
        return found
    }

    @Test func `each target imports what the document says, no more and no less`() throws {
        let walls = try walls()
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: Self.project.appendingPathComponent("Sources").path)
        // The C libraries are module maps alone.
        let targets = folders.filter { !["CSndfile", "CFLAC", "CSamplerate"].contains($0) && !$0.hasPrefix(".") }
        #expect(Set(targets) == Set(walls.keys))
        for target in targets {
            let found = try imports(of: target).subtracting(Self.free)
            #expect(!found.isEmpty)
            #expect(found == walls[target], "\(target)")
        }
    }

    @Test func `a carrier's name stands in its own folder, its options and its list`() throws {
        let sources = Self.project.appendingPathComponent("Sources").path
        let named = try TemporaryDirectory.files(below: sources).filter { file in
            guard [".swift", ".html", ".js"].contains(where: file.hasSuffix) else { return false }
            return try String(contentsOfFile: file, encoding: .utf8).localizedCaseInsensitiveContains("vonage")
        }
        .map { String($0.dropFirst(sources.count + 1)) }
        // The simulator and its command play this carrier.
        let allowed = ["Carriers/", "Simulator/", "Command/Call.swift", "Command/CarrierIdentityOptions.swift"]
        // Examples in doc comments of the contracts.
        let examples = ["Core/Carrier/Carrier.swift", "Core/Call/CallFacts.swift", "SelfTest/ServerProcess.swift"]
        #expect(named.filter { file in !(allowed + examples).contains { file.hasPrefix($0) } } == [])
        #expect(named.contains { $0.hasPrefix("Carriers/Vonage/") })
    }
}
