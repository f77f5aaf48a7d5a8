/// An instruction to a connection, sent as an event through its channel's pipeline.
enum WebSocketInstruction: Sendable {
    /// Send a close frame now, because the server is shutting down.
    case leave(String)
    /// Report the connection as lost, without a close frame, because it would not arrive.
    /// The sender closes the channel.
    case lost(String)
}
