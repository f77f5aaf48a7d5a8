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
}
