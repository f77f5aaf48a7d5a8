/// A manifest that Callreel cannot have written: of another version, or with impossible values.
package struct ManifestError: Error, Sendable, CustomStringConvertible {
    /// The reason in words, with the value concerned.
    package let description: String

    /// Makes an error.
    package init(_ reason: String) { description = reason }
}
