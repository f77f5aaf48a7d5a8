/// Reads the messages of one call's socket, and tells a ``Desk`` what they say.
///
/// A conformer is a value for each socket. It is pure and synchronous, has no clock of its own, and never blocks or
/// traps, whatever the messages hold.
public protocol CarrierDialect: Sendable {
    /// Reads a text message, which is valid UTF-8. It may hold several JSON values.
    /// - Throws: a refusal that ends the call.
    mutating func receive(text: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal)

    /// Reads a binary message. The server does not call this once the desk has begun with ``BinaryMessages/audio``.
    ///
    /// A binary message before the call begins is refused at its first byte. The server calls this with an empty span
    /// then, for the reason of the refusal. Default: refuses it.
    mutating func receive(binary: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal)

    /// Does what is due each second of a running call, such as a heartbeat. Default: nothing.
    mutating func tick(at desk: inout Desk)

    /// Reads the end of the socket. Default: nothing.
    mutating func end(at desk: inout Desk)
}

extension CarrierDialect {
    public mutating func receive(binary: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal) {
        throw CarrierRefusal(.policy, "a binary message came before the message that begins the call")
    }

    public mutating func tick(at desk: inout Desk) {}

    public mutating func end(at desk: inout Desk) {}
}
