import CallreelCore

/// The content of one text message from a carrier.
enum CarrierMessage: Sendable {
    /// The call begins, with its facts and the format of the audio that follows.
    case started(CallFacts, AudioFormat)
    /// Audio sent as text: bytes of little-endian PCM.
    case audio([UInt8])
    /// An event of the call: its name and its data.
    case event(String, [String: JSONValue])
    /// A message without usable content, and the reason. The call continues.
    case malformed(String)
}

/// A carrier's protocol for sending a call over a WebSocket. Implementations are pure and synchronous and never block.
protocol CarrierDialect: Sendable {
    /// Parses a text message, which must be valid UTF-8. Throws if Callreel cannot take the call.
    mutating func understand(text: [UInt8]) throws(WebSocketError) -> CarrierMessage
    /// Returns the reason to refuse audio now; nil if audio may come.
    func refusesAudio() -> WebSocketError?
}
