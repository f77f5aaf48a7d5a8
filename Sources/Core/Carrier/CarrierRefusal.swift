/// The reason to refuse a request or a call.
public struct CarrierRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of a refusal. It decides the status of an HTTP answer, and the code of a close frame.
    public enum Kind: Sendable {
        /// The carrier's proof is missing or wrong: status 401, close code 1008.
        case unauthorized
        /// The message cannot be read: status 400, close code 1007.
        case malformed
        /// The audio is of a kind that cannot be recorded: status 400, close code 1003.
        case unsupported
        /// The message is not allowed here: status 400, close code 1008.
        case policy
    }

    /// The kind of the refusal.
    public let kind: Kind
    /// The reason in words. It goes to the log and to the carrier, and reveals nothing of a secret.
    public let reason: String

    /// Makes a refusal.
    public init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    public var description: String { reason }
}
