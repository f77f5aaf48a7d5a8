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

    /// Whether a call can be found by these facts.
    var namesCall: Bool { uuid != nil || conversation != nil }

    /// Whether two sets of facts are about one leg: the same uuid, or the same conversation where one of them has no uuid.
    func isSameLeg(as other: CallFacts) -> Bool {
        if let uuid, let theirs = other.uuid { return uuid == theirs }
        return conversation != nil && conversation == other.conversation
    }

    /// Fills what is not known yet from other facts about the same call. Facts about another leg of its conversation say
    /// nothing about this one.
    public mutating func complete(with other: CallFacts) {
        if let uuid, let theirs = other.uuid, uuid != theirs { return }
        from = from ?? other.from
        to = to ?? other.to
        uuid = uuid ?? other.uuid
        conversation = conversation ?? other.conversation
        headers.merge(other.headers) { mine, _ in mine }
    }
}
