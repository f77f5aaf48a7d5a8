public import Logging

/// What a delivery is told about its entry in the configuration.
public struct DeliveryContext: Sendable {
    /// The entry's path in the configuration, for problems with secrets.
    public let place: ConfigurationPath
    /// The entry's name, unique among the deliveries.
    public let name: String
    /// The time that one attempt may take, as the operator has set it. Then its task is cancelled.
    public let deadline: Duration
    /// A logger that carries the name of the entry.
    public let logger: Logger

    /// Makes a context. The framework does this for each entry; tests of a delivery make their own.
    public init(place: ConfigurationPath, name: String, deadline: Duration, logger: Logger) {
        self.place = place
        self.name = name
        self.deadline = deadline
        self.logger = logger
    }
}

/// An error that ends one attempt of a delivery. There will be another.
public struct DeliveryError: Error, Sendable, CustomStringConvertible {
    /// The failure in words, with the value, path or address concerned.
    public let reason: String
    /// The error of a library or of another program, if one is the cause.
    public let cause: (any Error)?
    /// The least time until the next attempt, if the destination asks for one.
    public let retryAfter: Duration?

    /// Makes an error.
    public init(_ reason: String, cause: (any Error)? = nil, retryAfter: Duration? = nil) {
        self.reason = reason
        self.cause = cause
        self.retryAfter = retryAfter
    }

    /// The reason, followed by the words of the cause.
    public var description: String { cause.map { "\(reason): \($0)" } ?? reason }
}

/// What a delivery says about a delivered recording.
public struct DeliveryReceipt: Sendable {
    /// A file that the delivery puts beside the recording.
    public struct Attachment: Sendable {
        /// Follows the recording's name, the delivery's name and a dot: `txt` becomes `<name>.<delivery>.txt`.
        public let suffix: String
        /// The file's content.
        public let content: [UInt8]

        /// Makes an attachment.
        public init(_ suffix: String, _ content: [UInt8]) {
            self.suffix = suffix
            self.content = content
        }
    }

    /// Facts for the manifest, such as an address or a number of words.
    public var details: [String: JSONValue]
    /// Files to be put beside the recording, and listed in the manifest.
    public var attachments: [Attachment]

    /// Makes a receipt.
    public init(details: [String: JSONValue] = [:], attachments: [Attachment] = []) {
        self.details = details
        self.attachments = attachments
    }
}
