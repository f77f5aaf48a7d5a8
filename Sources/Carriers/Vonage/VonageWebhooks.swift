import CallreelCore
import Foundation

/// The two webhooks of a Vonage application: the answer webhook returns instructions for a call, and the event webhook
/// receives its events.
///
/// Both accept GET with a query and POST with JSON, because you can configure an application either way.
struct VonageWebhooks: Sendable {
    /// The carrier's limit for the headers of a WebSocket endpoint, in bytes.
    static let headersLimit = 512

    let options: VonageOptions
    let context: CarrierContext
    /// The signature check; nil accepts unsigned webhooks.
    let signature: VonageSignature?

    /// Answers the answer webhook with an NCCO: speak the greeting, then connect the call to the WebSocket.
    func answer(_ request: CarrierRequest) throws(CarrierRefusal) -> CarrierReply {
        let (parameters, proof) = try read(request)
        let facts = facts(in: parameters)
        let headers = headers(facts)
        // The token is for the uuid that the socket will send. If the headers had no room for the uuid,
        // the token admits any call.
        let uuid = headers["uuid"]?.text
        var endpoint: [String: JSONValue] = [
            "type": "websocket", "uri": .string(context.address(forCall: uuid)),
            "content-type": .string("\(VonageDialect.mediaType);rate=\(options.sampleRate)"),
            "headers": headers,
        ]
        if signature != nil { endpoint["authorization"] = .object(["type": "vonage"]) }
        var actions: [JSONValue] = [.object(["action": "connect", "endpoint": .array([.object(endpoint)])])]
        if !options.talk.isEmpty {
            actions.insert(.object(["action": "talk", "text": .string(options.talk)]), at: 0)
        }
        return CarrierReply(.json(.array(actions)), proof: proof, announcement: .init(facts, uuid: uuid))
    }

    /// Answers the event webhook.
    func event(_ request: CarrierRequest) throws(CarrierRefusal) -> CarrierReply {
        let (parameters, proof) = try read(request)
        let type = Self.type(of: parameters)
        let event = CarrierReply.Event(
            type, data: parameters.mapValues(Self.withoutToken), call: facts(in: parameters),
            isEnd: Self.endings.contains(type))
        return CarrierReply(proof: proof, events: [event])
    }

    /// Returns a request's parameters, from its query and its JSON body, and the proof of its signature.
    /// Parses the body only after the check of the signature.
    private func read(
        _ request: CarrierRequest
    ) throws(CarrierRefusal) -> (parameters: [String: JSONValue], proof: OneTimeProof?) {
        let proof = try signature?.check(request)
        var result: [String: JSONValue] = [:]
        for (name, value) in request.query { result[name] = .string(value) }
        guard !request.body.isEmpty else { return (result, proof) }
        let value: JSONValue
        do throws(JSONSyntaxError) { value = try JSONValue(lenient: Data(request.body)) } catch {
            throw CarrierRefusal(.malformed, "the body is not JSON: \(error.reason)")
        }
        guard case .object(let members) = value else {
            throw CarrierRefusal(.malformed, "the body is not a JSON object: \(value.found)")
        }
        return (result.merging(members) { _, body in body }, proof)
    }

    /// Returns the call's facts for the socket's handshake message; nothing else on the socket names the call.
    /// Adds the most needed facts first and leaves out facts that do not fit. The recorder already knows them.
    private func headers(_ facts: CallFacts) -> JSONValue {
        var headers: [String: JSONValue] = [:]
        for (name, value) in [
            ("uuid", facts.uuid), ("conversation_uuid", facts.conversation), ("from", facts.from), ("to", facts.to),
        ] {
            guard let value else { continue }
            var more = headers
            more[name] = .string(value)
            if JSONValue.object(more).json().utf8.count <= Self.headersLimit { headers = more }
        }
        return .object(headers)
    }

    /// Statuses of a call whose audio will not come any more.
    private static let endings: Set = [
        "busy", "cancelled", "completed", "disconnected", "failed", "rejected", "timeout", "unanswered",
    ]

    /// Removes the query from a WebSocket's address. Events repeat the address from the NCCO, and its token must not be
    /// recorded.
    private static func withoutToken(_ value: JSONValue) -> JSONValue {
        guard let text = value.string, isSocket(text) else { return value }
        return .string(String(text.prefix { $0 != "?" }))
    }

    private static func isSocket(_ text: String) -> Bool { text.hasPrefix("ws://") || text.hasPrefix("wss://") }

    /// Returns an event's name: its status or type, or a name derived from its other keys.
    static func type(of event: [String: JSONValue]) -> String {
        if let name = event["status"]?.text ?? event["type"]?.text { return name }
        if event["original_request"] != nil { return "fallback" }
        if event["recording_url"] != nil { return "record" }
        if event["dtmf"] != nil || event["speech"] != nil { return "input" }
        return event["reason"] != nil ? "error" : "event"
    }

    /// Returns the facts about a webhook's call.
    private func facts(in parameters: [String: JSONValue]) -> CallFacts {
        func text(_ names: String...) -> String? {
            names.lazy.compactMap { parameters[$0]?.text }.first { !$0.isEmpty }
        }
        // The socket's own leg has another uuid, and its address as its number. The headers from the NCCO name the
        // caller's leg.
        if let headers = parameters["headers"], let uuid = headers["uuid"]?.text {
            return CallFacts(
                carrier: "vonage", uuid: uuid,
                conversation: headers["conversation_uuid"]?.text ?? text("conversation_uuid"))
        }
        let to = text("to")
        let isSocket = to.map(Self.isSocket) ?? false
        return CallFacts(
            carrier: "vonage", from: isSocket ? nil : text("from", "from_user"), to: isSocket ? nil : to,
            uuid: text("uuid", "call_uuid"), conversation: text("conversation_uuid", "conversation_uuid_from"))
    }
}
