/// An error that ends a sink's work.
public struct SinkError: Error, Sendable, CustomStringConvertible {
    /// The step in which the sink failed.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public let description: String
        /// Opening the destination.
        public static let open = Code(description: "open")
        /// Adding frames.
        public static let write = Code(description: "write")
        /// Making the written audio readable.
        public static let checkpoint = Code(description: "checkpoint")
        /// Closing the destination.
        public static let finish = Code(description: "finish")
    }

    /// The party that can mend the error.
    public enum Blame: String, Sendable, Codable {
        /// The operator: the options cannot be met in this call.
        case options
        /// The disk, the network or the program at the other end.
        case destination
        /// The sink's author.
        case bug
    }

    /// The step in which the sink failed.
    public let code: Code
    /// A description of the failure, with the value or the path concerned.
    public let reason: String
    /// The system's error number, when the system refused.
    public let underlying: Int32?
    /// The party that can mend the error.
    public let blame: Blame

    /// Makes an error.
    public init(_ code: Code, _ reason: String, underlying: Int32? = nil, blame: Blame = .destination) {
        self.code = code
        self.reason = reason
        self.underlying = underlying
        self.blame = blame
    }

    /// Makes an error from a failed file operation.
    package init(_ code: Code, _ error: DiskError) { self.init(code, error.reason, underlying: error.underlying) }

    /// Returns this error, followed by one from the attempt to go on in the fallback.
    package func followed(by other: SinkError) -> SinkError {
        SinkError(other.code, "\(self); then, in its fallback: \(other)", blame: other.blame)
    }

    /// The reason, followed by the system's own words.
    public var description: String {
        guard let underlying else { return reason }
        return "\(reason): \(systemMessage(underlying))"
    }
}
