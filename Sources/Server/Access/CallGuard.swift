import NIOHTTP1

/// Checks the signature and the token of an upgrade request, after all its other checks have passed.
struct CallGuard: Sendable {
    /// The token check; nil if calls need no token.
    let tokens: CallTokens?
    /// The signature check; nil if calls need no signature.
    let signature: VonageSignature?

    /// Checks a request's signature and token without using them up. A request that is refused for another reason can
    /// thus be sent again.
    func check(_ head: HTTPRequestHead) throws(WebSocketUpgrade.Refusal) {
        do throws(Unauthorized) {
            // An upgrade request has no body, so it does not matter whether the request came over TLS.
            try signature?.check(authorization: head.headers["authorization"], body: [UInt8](), isSecure: true)
        } catch {
            throw refusal(error, "calls must carry the carrier's signature, which vonage.signatureSecret asks for")
        }
        do throws(Unauthorized) { try tokens?.check(head.uri) } catch { throw refusal(error, Self.advice) }
    }

    /// Uses up a checked request's signature and token. Of several requests with the same token, only one passes.
    func redeem(_ head: HTTPRequestHead) throws(WebSocketUpgrade.Refusal) {
        try useSignature(of: head)
        do throws(Unauthorized) { try tokens?.redeem(head.uri) } catch { throw refusal(error, Self.advice) }
    }

    /// Marks a checked request's signature as used. Of several requests with the same signature, only one passes,
    /// so an overheard signature admits no call.
    private func useSignature(of head: HTTPRequestHead) throws(WebSocketUpgrade.Refusal) {
        guard let signature else { return }
        do throws(Unauthorized) {
            let proof = try signature.check(
                authorization: head.headers["authorization"], body: [UInt8](), isSecure: true)
            guard signature.use(proof, for: Array("\(head.method) \(head.uri)".utf8)) == .new else {
                throw Unauthorized("the carrier's signature was used before")
            }
        } catch {
            throw refusal(error, "each call must be signed anew")
        }
    }

    private static let advice =
        "each call needs the address that /webhooks/answer hands out for it, unless vonage.requireToken is false"

    private func refusal(_ error: Unauthorized, _ advice: String) -> WebSocketUpgrade.Refusal {
        WebSocketUpgrade.Refusal(
            status: .unauthorized, reason: "\(error.reason): \(advice)", kind: Unauthorized.kind,
            headers: ["www-authenticate": "Bearer"])
    }

    /// Returns the token of an admitted request; nil if calls need no token.
    func token(of head: HTTPRequestHead) -> CallToken? {
        tokens == nil ? nil : CallToken.text(in: head.uri).flatMap(CallToken.read)?.0
    }
}
