import CallreelWebSocket
import NIOCore

/// A consumer's answer to what it received: the next steps of its connection.
struct WebSocketFlow: Sendable {
    /// The pace of a begun connection.
    enum Pace: Sendable {
        /// A live call, with the bytes of one second. The clock reads it.
        case live(bytesPerSecond: Int)
        /// Data is read as it arrives.
        case asItComes
    }

    /// A message to send.
    struct Reply: Sendable {
        let operation: WebSocketFrameDecoder.Operation
        let payload: [UInt8]
    }

    /// Begins the consumer's work after the handshake. From here on, the call's length and the client's silence are
    /// limited. The connection then calls ``WebSocketConsumer/begin(group:)``.
    var begin: Pace?
    /// The consumer has no room. The connection is not read until ``SocketSource/roomForMore()``.
    var isFull = false
    /// Time for which the connection is not read, because the call is ahead of the clock.
    var pause: TimeAmount?
    /// Messages to send, in order.
    var replies: [Reply] = []
    /// The reason to close the connection with status 1000 once the replies are sent; nil to go on.
    var close: String?

    /// Nothing changes.
    static var goOn: Self { Self() }
}
