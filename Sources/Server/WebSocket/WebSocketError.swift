/// The reason for closing a WebSocket connection: a status code of RFC 6455, section 7.4, and a text for the client's
/// log.
struct WebSocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A status code of a close frame.
    struct Code: RawRepresentable, Hashable, Sendable {
        let rawValue: UInt16

        /// The purpose of the connection is fulfilled.
        static let normal = Code(rawValue: 1000)
        /// The server is shutting down.
        static let goingAway = Code(rawValue: 1001)
        /// The client broke a rule of the protocol.
        static let protocolError = Code(rawValue: 1002)
        /// The data is of an unacceptable kind, such as an unknown audio format.
        static let unsupportedData = Code(rawValue: 1003)
        /// The data does not match its message's type: text that is not UTF-8, or a handshake message that is not JSON.
        static let invalidData = Code(rawValue: 1007)
        /// A message breaks this server's rules.
        static let policyViolation = Code(rawValue: 1008)
        /// A message is too big.
        static let tooBig = Code(rawValue: 1009)
        /// The server failed.
        static let internalError = Code(rawValue: 1011)

        /// The code may stand in a close frame: RFC 6455, section 7.4.2, and the IANA registry's 1012 to 1014.
        var isValidOnTheWire: Bool {
            switch rawValue {
            case 1000...1003, 1007...1014, 3000...4999: true
            default: false
            }
        }
    }

    let code: Code
    let reason: String
    /// The reason under which the closing is counted; nil if the client was not refused.
    let refusal: RefusalReason?

    /// Makes an error. The reason may be sent to the client; a close frame has room for 123 bytes of it.
    /// - Parameter refusal: the reason to count; nil takes the default for the code.
    init(_ code: Code, _ reason: String, countedAs refusal: RefusalReason? = nil) {
        self.code = code
        self.reason = reason
        switch code {
        case .normal, .goingAway, .internalError: self.refusal = refusal
        case .tooBig: self.refusal = refusal ?? .message
        default: self.refusal = refusal ?? .protocolError
        }
    }

    var description: String { "\(code.rawValue) \(reason)" }
}
