import CallreelWebSocket
import Logging
import NIOCore

/// A handler of one WebSocket's messages: a call, or an echo in tests. Everything here runs on the channel's event
/// loop.
///
/// ``WebSocketHandler`` owns the socket, its rules and its timers, and passes the messages to its consumer.
/// It is generic over the consumer, so that audio needs no dynamic call for each frame.
protocol WebSocketConsumer: AnyObject, SendableMetatype {
    /// A logger with the connection's metadata.
    var logger: Logger { get }
    /// Handles the opening of the connection. A consumer without a first message begins here.
    /// Other consumers have the handshake time for it.
    /// - Parameter source: the connection, for calls from other threads.
    func attach(to source: SocketSource) -> WebSocketFlow
    /// Begins the consumer's work, as its flow asked.
    /// - Parameter group: the number of the group of connections read together; nil for none.
    func begin(group: Int?)
    /// Handles a piece of a binary message's payload.
    func receive(binary piece: borrowing MaskedBytes) throws(WebSocketError)
    /// Handles the end of a binary message.
    func receiveBinaryEnd() throws(WebSocketError) -> WebSocketFlow
    /// Handles a whole text message, which is valid UTF-8.
    func receive(text: [UInt8]) throws(WebSocketError) -> WebSocketFlow
    /// Handles the end of one read of the socket. All its messages have been passed on.
    func receiveReadEnd(now: NIODeadline) -> WebSocketFlow
    /// Handles the end of a drain. All data received before ``SocketSource/drain(_:)`` has been passed on.
    func receiveDrained()
    /// Does what is due each second of a begun connection.
    func tick() -> WebSocketFlow
    /// Handles the end of the connection. May be called more than once; the first reason stands.
    func end(_ reason: String)
}
