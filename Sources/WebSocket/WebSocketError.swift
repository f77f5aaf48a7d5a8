/// The reason for closing a WebSocket connection: a status code of RFC 6455, section 7.4, and a text for the client's
/// log.
package struct WebSocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A status code of a close frame.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: UInt16

        /// Makes a code.
        package init(rawValue: UInt16) { self.rawValue = rawValue }

        /// The purpose of the connection is fulfilled.
        package static let normal = Code(rawValue: 1000)
        /// The server is shutting down.
        package static let goingAway = Code(rawValue: 1001)
        /// The client broke a rule of the protocol.
        package static let protocolError = Code(rawValue: 1002)
        /// The data is of an unacceptable kind, such as an unknown audio format.
        package static let unsupportedData = Code(rawValue: 1003)
        /// The data does not match its message's type: text that is not UTF-8, or a handshake message that is not JSON.
        package static let invalidData = Code(rawValue: 1007)
        /// A message breaks this server's rules.
        package static let policyViolation = Code(rawValue: 1008)
        /// A message is too big.
        package static let tooBig = Code(rawValue: 1009)
        /// The server failed.
        package static let internalError = Code(rawValue: 1011)

        /// The code may stand in a close frame: RFC 6455, section 7.4.2, and the IANA registry's 1012 to 1014.
        package var isValidOnTheWire: Bool {
            switch rawValue {
            case 1000...1003, 1007...1014, 3000...4999: true
            default: false
            }
        }
    }

    /// The status code.
    package let code: Code
    /// The text for the client's log. A close frame has room for 123 bytes of it.
    package let reason: String
    /// The word under which the closing is counted; nil takes the code's own.
    package let countedAs: String?

    /// Makes an error.
    package init(_ code: Code, _ reason: String, countedAs: String? = nil) {
        self.code = code
        self.reason = reason
        self.countedAs = countedAs
    }

    package var description: String { "\(code.rawValue) \(reason)" }
}
