import CallreelCore
import NIOHTTP1

/// Checks the carrier's proof and the call's token in an upgrade request, after all its other checks have passed.
struct CallGuard: Sendable {
    /// A request that may become a call.
    struct Candidate: Sendable {
        let entry: CarrierEntry
        let admission: CarrierAdmission
        /// The call's token; nil if calls need none.
        let token: CallToken?
    }

    /// The carriers whose calls come to one path.
    let entries: [CarrierEntry]

    /// Checks a request's proof and token without using them up. A request that is refused for another reason can thus
    /// be sent again.
    ///
    /// Of several carriers on the path, the one that recognizes the request best goes first.
    func check(_ head: HTTPRequestHead, isSecure: Bool) throws(WebSocketUpgrade.Refusal) -> Candidate {
        let request = CarrierRequest(head, isSecure: isSecure)
        let ranked = entries.map { (entry: $0, recognition: $0.carrier.recognizes(request)) }
            .filter { $0.recognition != .no }
        let best = ranked.filter { $0.recognition == .yes } + ranked.filter { $0.recognition == .maybe }
        var refusal: WebSocketUpgrade.Refusal?
        for (entry, recognition) in best {
            do throws(WebSocketUpgrade.Refusal) {
                return try check(head, request, entry)
            } catch {
                refusal = refusal ?? error
                if recognition == .yes { break }
            }
        }
        throw refusal
            ?? WebSocketUpgrade.Refusal(status: .badRequest, reason: "the request matches no carrier of this path")
    }

    private func check(
        _ head: HTTPRequestHead, _ request: CarrierRequest, _ entry: CarrierEntry
    ) throws(WebSocketUpgrade.Refusal) -> Candidate {
        let admission: CarrierAdmission
        do throws(CarrierRefusal) { admission = try entry.carrier.admit(request) } catch {
            guard error.kind == .unauthorized else {
                throw WebSocketUpgrade.Refusal(status: .badRequest, reason: error.reason)
            }
            throw refusal(error.reason)
        }
        do throws(Unauthorized) { try entry.tokens?.check(head.uri) } catch {
            throw refusal("\(error.reason): \(advice(entry))")
        }
        let token = entry.tokens == nil ? nil : CallToken.text(in: head.uri).flatMap(CallToken.read)?.0
        return Candidate(entry: entry, admission: admission, token: token)
    }

    /// Uses up a checked request's proof and token. Of several requests with the same one, only one passes, so an
    /// overheard proof admits no call.
    func redeem(_ head: HTTPRequestHead, _ candidate: Candidate) throws(WebSocketUpgrade.Refusal) {
        let entry = candidate.entry
        let sight = entry.proofs.use(candidate.admission.proof, for: Array("\(head.method) \(head.uri)".utf8))
        guard sight == .new else {
            throw refusal("the carrier's signature was used before: each call must be signed anew")
        }
        do throws(Unauthorized) { try entry.tokens?.redeem(head.uri) } catch {
            throw refusal("\(error.reason): \(advice(entry))")
        }
    }

    private func advice(_ entry: CarrierEntry) -> String {
        "each call needs its own address from \(entry.plan.webhooks)/answer, "
            + "unless \(entry.plan.place).requireToken is false"
    }

    private func refusal(_ reason: String) -> WebSocketUpgrade.Refusal {
        WebSocketUpgrade.Refusal(
            status: .unauthorized, reason: reason, kind: Unauthorized.kind, headers: ["www-authenticate": "Bearer"])
    }
}

extension CarrierRequest {
    /// Makes the value of an upgrade request.
    init(_ head: HTTPRequestHead, isSecure: Bool) {
        self.init(
            head.method.rawValue, head.uri, headers: head.headers.map { (name: $0.name, value: $0.value) },
            isSecure: isSecure)
    }
}
