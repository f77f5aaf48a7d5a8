import CallreelCore

/// What a carrier said in one text message.
enum CarrierMessage: Sendable {
    /// The call begins: whose it is, and the shape of the audio that follows.
    case started(CallFacts, AudioFormat)
    /// Audio that came as text: bytes of little-endian PCM.
    case audio([UInt8])
    /// Something that happened in the call.
    case event(String, [String: JSONValue])
    /// A message that says nothing that could be understood; the call goes on.
    case malformed(String)
}

/// A carrier's way of sending a call over a WebSocket. Pure and synchronous: it waits for nothing.
protocol CarrierDialect: Sendable {
    /// Understands a text message, which is valid UTF-8. Throws when the call cannot be taken.
    mutating func understand(text: [UInt8]) throws(WebSocketError) -> CarrierMessage
    /// Says why audio cannot be taken yet, if it cannot.
    func refusesAudio() -> WebSocketError?
}
