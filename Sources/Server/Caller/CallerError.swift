/// Why an outgoing test call could not be placed or went wrong, in words for the person who placed it.
public struct CallerError: Error, Sendable, CustomStringConvertible {
    public let description: String

    /// Makes an error.
    public init(_ description: String) { self.description = description }
}
