/// An entry of the configuration that does not want a call, as the call's ledger and manifest tell of it.
package struct SkippedEntry: Hashable, Sendable, Codable {
    /// The list of the configuration that has the entry.
    package enum Family: String, Sendable, Codable {
        case sinks, deliveries
    }

    package var family: Family
    package var type: String
    package var name: String
    /// The key that kept the call out, such as `when.to`.
    package var skipped: String

    /// Makes the note of an entry whose condition a call does not meet.
    /// - Parameter mismatch: the key of the condition that keeps the call out.
    package init(_ family: Family, type: String, name: String, mismatch: String) {
        self.family = family
        self.type = type
        self.name = name
        skipped = "when.\(mismatch)"
    }
}
