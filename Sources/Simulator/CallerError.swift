/// The reason for a test call's failure, in words for the user.
package struct CallerError: Error, Sendable, CustomStringConvertible {
    package let description: String

    /// Makes an error.
    package init(_ description: String) { self.description = description }
}
