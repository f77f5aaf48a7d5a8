import CallreelCore
import Foundation
import Hummingbird
import Logging
import NIOCore
import NIOFoundationCompat

/// The two webhooks of a Vonage application: the answer webhook returns instructions for a call, and the event webhook
/// receives its events.
///
/// Both accept GET with a query and POST with JSON, because you can configure an application either way.
/// The carrier gives a webhook as little as a second, so the answer webhook touches no disk.
/// The event webhook writes to disk before its answer only if the call's recording is already published.
struct VonageWebhooks: Sendable {
    /// The carrier's limit for the headers of a WebSocket endpoint, in bytes.
    static let headersLimit = 512

    let configuration: Configuration.Vonage
    let publicURL: @Sendable () -> PublicURL
    /// The signature check; nil accepts unsigned webhooks.
    let signature: VonageSignature?
    /// Checks the carriers' host name.
    let tunnels: TunnelHint
    let door: Door
    /// Largest size of a webhook's body, in bytes.
    let bodyLimit: Int
    let recorder: Recorder
    let admission: Admission
    let logger: Logger

    /// Adds the routes of the carrier's tutorials.
    func add(to router: Router<RequestScope>) {
        for method in [HTTPRequest.Method.get, .post] {
            router.on("/webhooks/answer", method: method) { request, scope in
                let (parameters, proof) = try await parameters(of: request, in: scope)
                // The carrier then asks the application's fallback answer URL.
                if let obstacle = admission.obstacle {
                    admission.refusals.record(
                        obstacle.kind.rawValue, as: "call refused", ["reason": "\(obstacle.reason)"])
                    let shown = door.credentials == nil ? obstacle.reason : obstacle.shownToStrangers
                    throw HTTPError(.serviceUnavailable, headers: [.retryAfter: Admission.retryAfter], message: shown)
                }
                // A reused signature gets no further token. Vonage then asks the fallback answer URL with a new
                // signature.
                guard proof.use() == .new else {
                    throw try await unauthorized("the carrier's signature was used before", request, scope)
                }
                return try json(answer(parameters))
            }
            router.on("/webhooks/event", method: method) { request, scope -> HTTPResponse.Status in
                let (parameters, proof) = try await parameters(of: request, in: scope)
                switch proof.use() {
                case .new: await take(event: parameters)
                // The carrier may have missed the answer. The event is already recorded.
                case .repeated: break
                case .misused: throw try await unauthorized("the carrier's signature was used before", request, scope)
                }
                return .noContent
            }
        }
    }

    /// A webhook's signature. It is recorded as used only once the webhook has an effect;
    /// until then the carrier may repeat the request.
    private struct Proof {
        let signature: VonageSignature?
        let proof: VonageSignature.Proof?
        /// The whole request.
        let request: [UInt8]

        func use() -> SeenSignatures.Sight {
            guard let signature, let proof else { return .new }
            return signature.use(proof, for: request)
        }
    }

    /// Returns a request's parameters, from its query or its JSON body, and its signature.
    /// Parses the body only after the check of the signature.
    private func parameters(of request: Request, in scope: RequestScope) async throws -> ([String: JSONValue], Proof) {
        var result: [String: JSONValue] = [:]
        for (name, value) in request.uri.queryParameters { result[String(name)] = .string(String(value)) }
        guard request.method == .post else {
            return (result, try await check(request, body: ByteBuffer(), in: scope))
        }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: bodyLimit)
        } catch is NIOTooManyBytesError {
            admission.refusals.record(.body, client: door.proxies.client(of: request, in: scope))
            throw HTTPError(.contentTooLarge, message: "the body is longer than \(bodyLimit) bytes")
        }
        let proof = try await check(request, body: body, in: scope)
        guard body.readableBytes > 0 else { return (result, proof) }
        let value: JSONValue
        do {
            value = try JSONValue(lenient: Data(buffer: body))
        } catch {
            throw malformed(request, scope, "the body is not JSON: \(error.reason)")
        }
        guard case .object(let members) = value else {
            throw malformed(request, scope, "the body is not a JSON object: \(value.found)")
        }
        return (result.merging(members) { _, body in body }, proof)
    }

    private func malformed(_ request: Request, _ scope: RequestScope, _ reason: String) -> HTTPError {
        record(RefusalReason.webhook.rawValue, reason, request, door.proxies.client(of: request, in: scope))
        return HTTPError(.badRequest, message: reason)
    }

    private func record(_ kind: String, _ reason: String, _ request: Request, _ client: String) {
        admission.refusals.record(
            kind, as: "webhook refused",
            ["path": "\(request.uri.path)", "reason": "\(reason)", "client.address": "\(client)"])
    }

    /// Checks the carrier's signature, if one is required. Throws status 401 if it is missing or wrong.
    private func check(_ request: Request, body: ByteBuffer, in scope: RequestScope) async throws -> Proof {
        let proof: VonageSignature.Proof?
        do throws(Unauthorized) {
            proof = try signature?.check(
                authorization: request.headers[values: .authorization], body: body.readableBytesView,
                isSecure: publicURL().isSecure)
        } catch {
            throw try await unauthorized(error.reason, request, scope)
        }
        tunnels.note(door.proxies.host(of: request, in: scope) ?? request.head.authority)
        let asked = Array("\(request.method) \(request.head.path ?? "") ".utf8) + Array(body.readableBytesView)
        return Proof(signature: signature, proof: proof, request: asked)
    }

    /// Records a webhook without a valid signature. Delays its answer if many came from the same client.
    private func unauthorized(_ reason: String, _ request: Request, _ scope: RequestScope) async throws -> HTTPError {
        let client = door.proxies.client(of: request, in: scope)
        record(Unauthorized.kind, reason, request, client)
        try await Task.sleep(for: door.failedCalls.failed(client))
        return HTTPError(.unauthorized, headers: [.wwwAuthenticate: "Bearer"], message: reason)
    }

    // MARK: - The answer webhook

    /// Returns the NCCO for a call: speak the greeting, then connect the call to Callreel's WebSocket.
    func answer(_ parameters: [String: JSONValue]) -> JSONValue {
        let facts = facts(in: parameters)
        recorder.expect(facts)
        // Without a required signature any client can send this, so the log's rate is limited.
        admission.refusals.log(
            "announced", "call announced", level: .info,
            ["call.from": "\(facts.from ?? "unknown")", "call.uuid": "\(facts.uuid ?? "unknown")"])
        let headers = headers(facts)
        admission.expected.add(headers["uuid"]?.text)
        var uri = publicURL().webSocket(configuration.path)
        // The token is for the uuid that the socket will send. If the headers had no room for the uuid,
        // the token admits any call.
        if let tokens = door.tokens { uri += "?\(CallTokens.parameter)=\(tokens.issue(for: headers["uuid"]?.text))" }
        var endpoint: [String: JSONValue] = [
            "type": "websocket", "uri": .string(uri),
            "content-type": .string("\(VonageDialect.mediaType);rate=\(configuration.sampleRate)"),
            "headers": headers,
        ]
        if signature != nil { endpoint["authorization"] = .object(["type": "vonage"]) }
        let connect: JSONValue = .object(["action": "connect", "endpoint": .array([.object(endpoint)])])
        guard !configuration.talk.isEmpty else { return .array([connect]) }
        return .array([.object(["action": "talk", "text": .string(configuration.talk)]), connect])
    }

    /// Returns the call's facts for the socket's handshake message; nothing else on the socket names the call.
    /// Adds the most needed facts first and leaves out facts that do not fit. The recorder already has them.
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

    // MARK: - The event webhook

    /// Records an event with its call.
    func take(event parameters: [String: JSONValue]) async {
        let type = Self.type(of: parameters)
        let facts = facts(in: parameters)
        if Self.endings.contains(type) { admission.expected.remove(facts.uuid) }
        logger.debug("call event", metadata: ["event": "\(type)", "call.uuid": "\(facts.uuid ?? "unknown")"])
        await recorder.note(type, data: parameters.mapValues(Self.withoutToken), of: facts)
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

/// Returns a JSON response.
func json(_ value: JSONValue) throws -> Response {
    Response(
        status: .ok, headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: value.json())))
}
