/// The caller, the called number and the carrier's identifiers, as the carrier sent them.
///
/// All values are untrusted. Callreel cleans them before it uses them in file names.
public struct CallFacts: Hashable, Sendable, Codable {
    /// The carrier's dialect, such as `vonage`.
    public var carrier: String
    /// The caller's number or address.
    public var from: String?
    /// The called number or address.
    public var to: String?
    /// The carrier's identifier for the caller's leg.
    public var uuid: String?
    /// The carrier's identifier for the leg's conversation.
    public var conversation: String?
    /// The leg on each channel of the call's audio, in order, such as `caller` and `callee`. Nil if the carrier does
    /// not tell.
    public var legs: [String]?
    /// All other values from the handshake.
    public var headers: [String: JSONValue]

    /// Creates a call's facts.
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

    /// An identifier of one carrier. Other carriers may use the same text for something else.
    package struct Identifier: Hashable, Sendable {
        let carrier, text: String
    }

    /// The leg's identifier: the uuid.
    package var leg: Identifier? { uuid.map { Identifier(carrier: carrier, text: $0) } }

    /// The conversation's identifier.
    package var talk: Identifier? { conversation.map { Identifier(carrier: carrier, text: $0) } }

    /// True when the facts identify a call, by uuid or by conversation.
    package var namesCall: Bool { uuid != nil || conversation != nil }

    /// Returns true if both describe one leg of one carrier: their uuids are equal,
    /// or one has no uuid and the conversations are equal.
    package func isSameLeg(as other: CallFacts) -> Bool {
        if let leg, let theirs = other.leg { return leg == theirs }
        return talk != nil && talk == other.talk
    }

    /// Fills missing facts from other facts about the same call. Ignores facts about another leg of the conversation.
    public mutating func complete(with other: CallFacts) {
        if let uuid, let theirs = other.uuid, uuid != theirs { return }
        from = from ?? other.from
        to = to ?? other.to
        uuid = uuid ?? other.uuid
        conversation = conversation ?? other.conversation
        legs = legs ?? other.legs
        headers.merge(other.headers) { mine, _ in mine }
    }
}
