/// The reason why a test call failed, in words for the user who placed it.
package struct CallerError: Error, Sendable, CustomStringConvertible {
    package let description: String

    /// Makes an error.
    package init(_ description: String) { self.description = description }
}
