/// The reasons for which this server refuses or ends a connection, a request or a call.
/// Refusals are counted under these words.
///
/// The list is closed, so that no text from a client becomes a metric's label.
enum RefusalReason: String, CaseIterable, Sendable {
    /// The limit on open connections is reached.
    case connections
    /// The limit on open connections from one address is reached.
    case address
    /// The system has no file descriptor left for a connection.
    case descriptors
    /// A request asked for a WebSocket in a wrong way, or was not HTTP.
    case handshake
    /// A request or a handshake message did not come in time.
    case handshakeTime = "handshake_time"
    /// A request's header was too large.
    case header
    /// A request's body was too large.
    case body
    /// A message was too large.
    case message
    /// The client broke a rule of the protocol, or sent an unusable message.
    case protocolError = "protocol"
    /// Nothing was received for too long.
    case idle
    /// A call reached the longest allowed time.
    case callLength = "call_length"
    /// The client did not read the sent data.
    case slowReader = "slow_reader"
    /// Too many pings or pongs.
    case controlFlood = "control_flood"
    /// Too many text messages.
    case textFlood = "text_flood"
    /// The TLS handshake failed.
    case tls
    /// A webhook's body could not be parsed.
    case webhook
    /// A request without the required password or token. A browser's first request is always one.
    case noCredentials = "no_credentials"
    /// Too many wrong passwords or tokens came from one address.
    case tries
    /// A request to an unknown host name.
    case host
    /// A request from a page of another site in a browser.
    case origin
}

extension RefusalReason: CustomStringConvertible {
    /// The reason in words, for the log.
    var description: String {
        switch self {
        case .connections: "too many connections"
        case .address: "too many connections from one address"
        case .descriptors: "no file descriptor is left; raise the limit on open files"
        case .handshake: "the request cannot become a call"
        case .handshakeTime: "the request did not arrive in time"
        case .header: "the request's header is too large"
        case .body: "the request's body is too large"
        case .message: "a message is too large"
        case .protocolError: "the client broke the protocol"
        case .idle: "no data was received for too long"
        case .callLength: "the call reached the longest time allowed"
        case .slowReader: "the client does not read"
        case .controlFlood: "too many control frames"
        case .textFlood: "too many text messages"
        case .tls: "the TLS handshake failed"
        case .webhook: "the webhook is not valid"
        case .noCredentials: "no password or token was sent"
        case .tries: "too many wrong passwords or tokens from one address"
        case .host: "the request used an unknown host name"
        case .origin: "a page of another site sent the request"
        }
    }
}
