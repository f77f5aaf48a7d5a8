import CallreelCore
import CallreelEngine
import CallreelNetwork
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOFoundationCompat

/// The webhooks of one carrier entry.
///
/// The carrier gives a webhook as little as a second, so an answer webhook touches no disk.
/// An event webhook writes to disk before its answer only if the call's recording is already published.
struct CarrierRoutes: Sendable {
    let entry: CarrierEntry
    let publicURL: @Sendable () -> PublicURL
    /// Checks the carriers' host name.
    let tunnels: TunnelHint
    let door: Door
    /// Largest size of a webhook's body, in bytes.
    let bodyLimit: Int
    let calls: CallDesk

    private var refusals: Refusals { calls.admission.refusals }

    /// Adds the routes. Each webhook takes GET and POST.
    func add(to router: Router<RequestScope>) {
        for webhook in entry.carrier.webhooks {
            let path = RouterPath("\(entry.plan.webhooks)/\(webhook.name)")
            for method in [HTTPRequest.Method.get, .post] {
                router.on(path, method: method) { request, scope in try await respond(webhook, request, scope) }
            }
        }
    }

    private func respond(_ webhook: CarrierWebhook, _ request: Request, _ scope: RequestScope) async throws -> Response
    {
        let asked = try await read(request, scope)
        let reply: CarrierReply
        do throws(CarrierRefusal) { reply = try webhook.respond(asked) } catch {
            guard error.kind == .unauthorized else {
                record(
                    RefusalReason.webhook.rawValue, error.reason, request, door.proxies.client(of: request, in: scope))
                throw HTTPError(.badRequest, message: error.reason)
            }
            throw try await unauthorized(error.reason, request, scope)
        }
        tunnels.note(door.proxies.host(of: request, in: scope) ?? request.head.authority)
        // The carrier then asks the application's fallback answer URL.
        if webhook.purpose == .answer, let obstacle = calls.admission.obstacle {
            refusals.record(
                obstacle.kind.rawValue, as: "call refused",
                [
                    "status": "503", "reason": "\(obstacle.reason)",
                    "client.address": "\(door.proxies.client(of: request, in: scope))",
                ])
            let shown = door.credentials == nil ? obstacle.reason : obstacle.shownToStrangers
            throw HTTPError(.serviceUnavailable, headers: [.retryAfter: Admission.retryAfter], message: shown)
        }
        // A proof is used up only once the webhook has an effect. Until then the carrier may repeat the request.
        let content = Array("\(asked.method) \(asked.target) ".utf8) + asked.body
        switch entry.proofs.use(reply.proof, for: content, now: asked.receivedAt) {
        case .new: await take(reply)
        // The carrier may have missed the answer. The event is already recorded. An answer webhook gives no further
        // token for a used proof; the carrier then asks the fallback answer URL with a new one.
        case .repeated where webhook.purpose == .event: break
        default: throw try await unauthorized("the carrier's signature was used before", request, scope)
        }
        return try Response(reply.body)
    }

    /// Does what a request tells.
    private func take(_ reply: CarrierReply) async {
        if let announcement = reply.announcement { calls.expect(announcement, of: entry) }
        for event in reply.events { await calls.note(event) }
    }

    /// Returns a request as a value, with its body.
    private func read(_ request: Request, _ scope: RequestScope) async throws -> CarrierRequest {
        var body: [UInt8] = []
        if request.method == .post {
            do {
                body = Array(buffer: try await request.body.collect(upTo: bodyLimit))
            } catch is NIOTooManyBytesError {
                refusals.record(.body, client: door.proxies.client(of: request, in: scope))
                throw HTTPError(.contentTooLarge, message: "the body is longer than \(bodyLimit) bytes")
            }
        }
        return CarrierRequest(
            request.method.rawValue, request.head.path ?? "",
            headers: request.headers.map { (name: $0.name.canonicalName, value: $0.value) }, body: body,
            isSecure: publicURL().isSecure)
    }

    private func record(_ kind: String, _ reason: String, _ request: Request, _ client: String) {
        refusals.record(
            kind, as: "webhook refused",
            ["path": "\(request.uri.path)", "reason": "\(reason)", "client.address": "\(client)"])
    }

    /// Records a webhook without a valid proof. Delays its answer if many came from the same client.
    private func unauthorized(_ reason: String, _ request: Request, _ scope: RequestScope) async throws -> HTTPError {
        let client = door.proxies.client(of: request, in: scope)
        record(Unauthorized.kind, reason, request, client)
        try await Task.sleep(for: door.failedCalls.failed(client))
        return HTTPError(.unauthorized, headers: [.wwwAuthenticate: "Bearer"], message: reason)
    }
}

extension Response {
    /// Makes the response to a carrier.
    fileprivate init(_ body: CarrierReply.Body) throws {
        switch body {
        case .none: self.init(status: .noContent)
        case .json(let value): self = try json(value)
        case .xml(let text):
            self.init(
                status: .ok, headers: [.contentType: "text/xml; charset=utf-8", .cacheControl: "no-store"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        }
    }
}
