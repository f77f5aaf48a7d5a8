/// Why a WebSocket connection is closed: a status code of RFC 6455, section 7.4, and words for the other side's log.
struct WebSocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A status code of a close frame.
    struct Code: RawRepresentable, Hashable, Sendable {
        let rawValue: UInt16

        /// The purpose of the connection has been fulfilled.
        static let normal = Code(rawValue: 1000)
        /// The server is going down.
        static let goingAway = Code(rawValue: 1001)
        /// A rule of the protocol was broken.
        static let protocolError = Code(rawValue: 1002)
        /// A kind of data that cannot be accepted: an audio format that is not known, say.
        static let unsupportedData = Code(rawValue: 1003)
        /// Data that is not what its message says it is: text that is not UTF-8, a handshake that is not JSON.
        static let invalidData = Code(rawValue: 1007)
        /// A message against this server's rules.
        static let policyViolation = Code(rawValue: 1008)
        /// A message that is too big.
        static let tooBig = Code(rawValue: 1009)
        /// The server cannot do what it should.
        static let internalError = Code(rawValue: 1011)

        /// Whether the code may stand in a close frame: RFC 6455, section 7.4.2, and the IANA registry's 1012 to 1014.
        var isValidOnTheWire: Bool {
            switch rawValue {
            case 1000...1003, 1007...1014, 3000...4999: true
            default: false
            }
        }
    }

    let code: Code
    let reason: String
    /// What the closing is counted under; nil when it was not the other side that was refused.
    let refusal: RefusalReason?

    /// Makes an error. The reason may be sent to the other side: a close frame has room for 123 bytes of it.
    /// - Parameter refusal: what it is counted under, where that is not clear from the code.
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
