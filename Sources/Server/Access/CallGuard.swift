import NIOHTTP1

/// Decides whether an upgrade request may become a call, after everything else about it was found right.
struct CallGuard: Sendable {
    /// Nil where calls need no token.
    let tokens: CallTokens?
    /// Nil where calls need no signature.
    let signature: VonageSignature?

    /// Checks a request and uses up its token: a request that passes must become a call.
    func admit(_ head: HTTPRequestHead) throws(WebSocketUpgrade.Refusal) {
        do throws(Unauthorized) {
            // The connection has no body. That it came over TLS need not be known, then.
            try signature?.check(authorization: head.headers["authorization"], body: [UInt8](), isSecure: true)
        } catch {
            throw refusal(error, "calls must carry the carrier's signature, which vonage.signatureSecret asks for")
        }
        do throws(Unauthorized) {
            try tokens?.redeem(head.uri)
        } catch {
            throw refusal(error, "each call needs the address that /webhooks/answer hands out for it, unless vonage.requireToken is false")
        }
    }

    private func refusal(_ error: Unauthorized, _ advice: String) -> WebSocketUpgrade.Refusal {
        WebSocketUpgrade.Refusal(
            status: .unauthorized, reason: "\(error.reason): \(advice)", kind: Unauthorized.kind, headers: ["www-authenticate": "Bearer"])
    }

    /// The token of a request that was admitted, if calls need one.
    func token(of head: HTTPRequestHead) -> CallToken? {
        tokens == nil ? nil : CallToken.text(in: head.uri).flatMap(CallToken.read)?.0
    }
}
