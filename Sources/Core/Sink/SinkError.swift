#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Why a sink could not go on.
public struct SinkError: Error, Sendable, CustomStringConvertible {
    /// What the sink was doing when it failed.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public let description: String
        /// Opening the destination.
        public static let open = Code(description: "open")
        /// Adding frames.
        public static let write = Code(description: "write")
        /// Making what was written readable.
        public static let checkpoint = Code(description: "checkpoint")
        /// Closing the destination.
        public static let finish = Code(description: "finish")
    }

    /// Who can mend it.
    public enum Blame: String, Sendable, Codable {
        /// The operator: the options ask for something that cannot be done with this call.
        case options
        /// The disk, the network or the program at the other end.
        case destination
        /// The sink's author.
        case bug
    }

    /// What the sink was doing.
    public let code: Code
    /// What happened, with the value or the path that it happened to.
    public let reason: String
    /// The system's error number, when the system refused.
    public let underlying: Int32?
    /// Who can mend it.
    public let blame: Blame

    /// Makes an error.
    public init(_ code: Code, _ reason: String, underlying: Int32? = nil, blame: Blame = .destination) {
        self.code = code
        self.reason = reason
        self.underlying = underlying
        self.blame = blame
    }

    /// This error, and another that came of the attempt to go on elsewhere.
    func followed(by other: SinkError) -> SinkError {
        SinkError(other.code, "\(self); then, in its fallback: \(other)", blame: other.blame)
    }

    /// The reason, and the system's own words after it.
    public var description: String {
        guard let underlying else { return reason }
        return "\(reason): \(systemMessage(underlying))"
    }
}

/// The system's text for an error number, such as `No space left on device`.
package func systemMessage(_ number: Int32) -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        unsafe buffer.initialize(repeating: 0)
        _ = unsafe strerror_r(number, buffer.baseAddress!, buffer.count)
        return unsafe String(cString: buffer.baseAddress!)
    }
}
