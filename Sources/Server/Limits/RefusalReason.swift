/// Why a connection, a request or a call was refused or ended by this side: the words that refusals are counted under.
///
/// The list is closed, so that nothing from outside ever becomes a metric's label.
enum RefusalReason: String, CaseIterable, Sendable {
    /// As many connections are open as may.
    case connections
    /// One address has as many connections open as it may.
    case address
    /// The system has no descriptor left for a connection.
    case descriptors
    /// A request that asked for a WebSocket in a wrong way, or that is not HTTP.
    case handshake
    /// A request or a handshake message that did not come in time.
    case handshakeTime = "handshake_time"
    /// A request's header was too large.
    case header
    /// A request's body was too large.
    case body
    /// A message was too large.
    case message
    /// A rule of the protocol was broken, or a message could not be taken.
    case protocolError = "protocol"
    /// Nothing came for too long.
    case idle
    /// A call lasted as long as calls may.
    case callLength = "call_length"
    /// What we sent was not read.
    case slowReader = "slow_reader"
    /// Too many pings or pongs.
    case controlFlood = "control_flood"
    /// Too many text messages.
    case textFlood = "text_flood"
    /// The TLS handshake failed.
    case tls
    /// A webhook that says nothing that can be understood.
    case webhook
    /// A request without the password or the token that it needs. Browsers begin with one.
    case noCredentials = "no_credentials"
    /// More wrong passwords or tokens came from one address than may.
    case tries
    /// A request under a name that this server does not know.
    case host
    /// A request that a page of another site made a browser send.
    case origin
}

extension RefusalReason: CustomStringConvertible {
    /// The reason in words, for the log.
    var description: String {
        switch self {
        case .connections: "too many connections"
        case .address: "too many connections from one address"
        case .descriptors: "no file descriptor is left; raise the limit on open files"
        case .handshake: "not a request that can become a call"
        case .handshakeTime: "the request did not come in time"
        case .header: "the request's header is too large"
        case .body: "the request's body is too large"
        case .message: "a message is too large"
        case .protocolError: "a rule of the protocol was broken"
        case .idle: "nothing was received for too long"
        case .callLength: "the call lasted as long as calls may"
        case .slowReader: "the client does not read what is sent to it"
        case .controlFlood: "too many control frames"
        case .textFlood: "too many text messages"
        case .tls: "the TLS handshake failed"
        case .webhook: "the webhook could not be understood"
        case .noCredentials: "no password or token was sent"
        case .tries: "too many wrong passwords or tokens from one address"
        case .host: "the request came under an unknown name"
        case .origin: "a page of another site sent the request"
        }
    }
}
