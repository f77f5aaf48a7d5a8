/// A webhook of a carrier: a path, and the function that answers its requests.
public struct CarrierWebhook: Sendable {
    /// The purpose of a webhook.
    public enum Purpose: Sendable {
        /// The carrier asks what to do with a call. The server refuses it with status 503 while no call can be taken.
        case answer
        /// The carrier tells of a call.
        case event
    }

    /// The last part of the path, after the entry's webhook prefix, such as `answer`.
    public var name: String
    /// The purpose.
    public var purpose: Purpose
    /// Returns the answer to a request. It is pure: calling it has no effect.
    public var respond: @Sendable (CarrierRequest) throws(CarrierRefusal) -> CarrierReply

    /// Makes a webhook, for GET and POST.
    public init(
        _ name: String, _ purpose: Purpose,
        respond: @escaping @Sendable (CarrierRequest) throws(CarrierRefusal) -> CarrierReply
    ) {
        self.name = name
        self.purpose = purpose
        self.respond = respond
    }
}

/// The answer to a webhook's request, and what the request tells.
public struct CarrierReply: Sendable {
    /// A document for the carrier.
    public enum Body: Sendable {
        /// No content: status 204.
        case none
        case json(JSONValue)
        /// XML text.
        case xml(String)
    }

    /// An event of a call, received beside its audio.
    public struct Event: Sendable {
        /// The kind of event, such as `answered`.
        public var type: String
        /// The carrier's data about the event. It holds no token and no secret.
        public var data: [String: JSONValue]
        /// Facts that name the call.
        public var call: CallFacts
        /// The call's audio will not come any more, or not again.
        public var isEnd: Bool

        /// Makes an event.
        public init(_ type: String, data: [String: JSONValue], call: CallFacts, isEnd: Bool = false) {
            self.type = type
            self.data = data
            self.call = call
            self.isEnd = isEnd
        }
    }

    /// A call whose audio will come.
    public struct Announcement: Sendable {
        /// The facts about the call. The recorder keeps them for it.
        public var call: CallFacts
        /// The identifier that the call's socket will send; nil if it will send none.
        public var uuid: String?

        /// Makes an announcement.
        public init(_ call: CallFacts, uuid: String?) {
            self.call = call
            self.uuid = uuid
        }
    }

    /// The document.
    public var body: Body
    /// The proof that the request is the carrier's, if it may be used only once.
    public var proof: OneTimeProof?
    /// A call that the answer sends to the server.
    public var announcement: Announcement?
    /// Events that the request tells of.
    public var events: [Event]

    /// Makes an answer.
    public init(
        _ body: Body = .none, proof: OneTimeProof? = nil, announcement: Announcement? = nil, events: [Event] = []
    ) {
        self.body = body
        self.proof = proof
        self.announcement = announcement
        self.events = events
    }
}
