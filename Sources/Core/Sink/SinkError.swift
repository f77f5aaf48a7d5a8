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
    /// The error of a library or of another program, if one is the cause.
    public let cause: (any Error)?
    /// The party that can mend the error.
    public let blame: Blame
    /// Another instance may succeed later. An entry with `retry` then tries again. By default, true if the destination
    /// is to blame.
    public let isRetryable: Bool

    /// Makes an error.
    /// - Parameters:
    ///   - code: the step that failed.
    ///   - reason: the failure in words, with the value or the path concerned.
    ///   - underlying: the system's error number; its words are added to the reason.
    ///   - cause: the error of a library; its text is added to the reason.
    ///   - blame: the party that can mend it.
    ///   - isRetryable: whether another instance may succeed later; nil if the destination is to blame.
    public init(
        _ code: Code, _ reason: String, underlying: Int32? = nil, cause: (any Error)? = nil,
        blame: Blame = .destination, isRetryable: Bool? = nil
    ) {
        self.code = code
        self.reason = reason
        self.underlying = underlying
        self.cause = cause
        self.blame = blame
        self.isRetryable = isRetryable ?? (blame == .destination)
    }

    /// Makes an error from a failed file operation.
    package init(_ code: Code, _ error: DiskError) { self.init(code, error.reason, underlying: error.underlying) }

    /// Returns this error, followed by one from the attempt to go on in the fallback.
    package func followed(by other: SinkError) -> SinkError {
        SinkError(
            other.code, "\(self); then, in its fallback: \(other)", blame: other.blame, isRetryable: other.isRetryable)
    }

    /// The reason, followed by the words of the system or of the library.
    public var description: String {
        let words = underlying.map(systemMessage) ?? cause.map { "\($0)" }
        return words.map { "\(reason): \($0)" } ?? reason
    }
}
