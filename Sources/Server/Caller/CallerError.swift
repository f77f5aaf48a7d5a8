/// Why an outgoing test call could not be placed or went wrong, in words for the person who placed it.
package struct CallerError: Error, Sendable, CustomStringConvertible {
    package let description: String

    /// Makes an error.
    package init(_ description: String) { self.description = description }
}
