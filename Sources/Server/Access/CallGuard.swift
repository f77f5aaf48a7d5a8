import NIOHTTP1

/// Decides whether an upgrade request may become a call, after everything else about it was found right.
struct CallGuard: Sendable {
    /// Nil where calls need no token.
    let tokens: CallTokens?
    /// Nil where calls need no signature.
    let signature: VonageSignature?

    /// Checks a request's signature and token. Nothing is used up, so that a request that is refused for another reason can come again.
    func check(_ head: HTTPRequestHead) throws(WebSocketUpgrade.Refusal) {
        do throws(Unauthorized) {
            // The connection has no body. That it came over TLS need not be known, then.
            try signature?.check(authorization: head.headers["authorization"], body: [UInt8](), isSecure: true)
        } catch {
            throw refusal(error, "calls must carry the carrier's signature, which vonage.signatureSecret asks for")
        }
        do throws(Unauthorized) { try tokens?.check(head.uri) } catch { throw refusal(error, Self.advice) }
    }

    /// Uses up a checked request's signature and token. Of several requests with the same token one passes.
    func redeem(_ head: HTTPRequestHead) throws(WebSocketUpgrade.Refusal) {
        try useSignature(of: head)
        do throws(Unauthorized) { try tokens?.redeem(head.uri) } catch { throw refusal(error, Self.advice) }
    }

    /// Notes a checked request's signature. Of several requests with the same one passes, so that one that was overheard lets no call in.
    private func useSignature(of head: HTTPRequestHead) throws(WebSocketUpgrade.Refusal) {
        guard let signature else { return }
        do throws(Unauthorized) {
            let proof = try signature.check(authorization: head.headers["authorization"], body: [UInt8](), isSecure: true)
            guard signature.use(proof, for: Array("\(head.method) \(head.uri)".utf8)) == .new else {
                throw Unauthorized("the carrier's signature was used before")
            }
        } catch {
            throw refusal(error, "each call must be signed anew")
        }
    }

    private static let advice = "each call needs the address that /webhooks/answer hands out for it, unless vonage.requireToken is false"

    private func refusal(_ error: Unauthorized, _ advice: String) -> WebSocketUpgrade.Refusal {
        WebSocketUpgrade.Refusal(
            status: .unauthorized, reason: "\(error.reason): \(advice)", kind: Unauthorized.kind, headers: ["www-authenticate": "Bearer"])
    }

    /// The token of a request that was admitted, if calls need one.
    func token(of head: HTTPRequestHead) -> CallToken? {
        tokens == nil ? nil : CallToken.text(in: head.uri).flatMap(CallToken.read)?.0
    }
}
