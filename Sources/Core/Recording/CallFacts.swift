/// Who called whom, as the carrier told it. Nothing here is trusted: names made from it are cleaned first.
public struct CallFacts: Hashable, Sendable, Codable {
    /// The carrier's dialect, such as `vonage`.
    public var carrier: String
    /// The caller's number or address.
    public var from: String?
    /// The number or address that was called.
    public var to: String?
    /// The carrier's name for the leg that the caller is on.
    public var uuid: String?
    /// The carrier's name for the conversation that the leg belongs to.
    public var conversation: String?
    /// Everything else that came with the handshake.
    public var headers: [String: JSONValue]

    /// Makes a call's facts.
    public init(
        carrier: String, from: String? = nil, to: String? = nil, uuid: String? = nil, conversation: String? = nil,
        headers: [String: JSONValue] = [:]
    ) {
        self.carrier = carrier
        self.from = from
        self.to = to
        self.uuid = uuid
        self.conversation = conversation
        self.headers = headers
    }

    /// Fills what is not known yet from other facts about the same call.
    public mutating func complete(with other: CallFacts) {
        from = from ?? other.from
        to = to ?? other.to
        uuid = uuid ?? other.uuid
        conversation = conversation ?? other.conversation
        headers.merge(other.headers) { mine, _ in mine }
    }
}
