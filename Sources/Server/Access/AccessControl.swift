import Foundation
import HTTPTypes
import Hummingbird
import Logging

/// Asks for the password or the token before anything is shown: the page, the API, the recordings, and whatever else has
/// not been declared open.
struct AccessControl: RouterMiddleware {
    typealias Context = RequestScope

    /// What lets somebody in.
    struct Credentials: Sendable {
        let user: String
        /// Each of them is taken, so that one can be changed while the other is still in use. There is at least one in the two lists.
        let passwords: [String]
        let tokens: [String]
    }

    let credentials: Credentials
    /// The paths that are not guarded here, because they have a guard of their own or nothing to hide.
    let openPaths: Set<String>
    let proxies: TrustedProxies
    let refusals: Refusals
    /// Slows down a client that guesses.
    let tries: FailedTries

    func handle(
        _ request: Request, context: RequestScope, next: @concurrent (Request, RequestScope) async throws -> Response
    ) async throws -> Response {
        // In the one form that the router sees, too: no other spelling of an open path is open.
        let path = request.uri.path
        let sent = request.headers[values: .authorization]
        // With a password the answer about readiness says more, so a password that comes with it is checked like any other.
        if openPaths.contains(path), path != "/readyz" || sent.isEmpty { return try await next(request, context) }
        let client = proxies.client(of: request, in: context)
        guard !sent.isEmpty else {
            // A browser comes without the password first.
            refusals.record(
                RefusalReason.noCredentials.rawValue, as: "access without credentials refused", level: .info,
                ["client.address": "\(client)", "path": "\(path)"])
            throw unauthorized("a password or a token is needed")
        }
        let turn = tries.turn(of: client)
        switch turn {
        case .now: break
        case .after(let wait): try await Task.sleep(for: wait)
        case .never:
            refusals.record(
                RefusalReason.tries.rawValue, as: "access refused",
                ["client.address": "\(client)", "reason": "\(RefusalReason.tries.description)"])
            try await Task.sleep(for: .seconds(1))
            throw HTTPError(
                .tooManyRequests, headers: [.retryAfter: "\(Int(tries.longestWait))"], message: RefusalReason.tries.description)
        }
        let isRight = sent.count == 1 && credentials.match(sent[0])
        tries.ended(turn, of: client, isRight: isRight)
        if isRight { return try await next(request, context) }
        refusals.record(Unauthorized.kind, as: "access refused", ["client.address": "\(client)", "path": "\(path)"])
        throw unauthorized("the password or the token is wrong")
    }

    private func unauthorized(_ message: String) -> HTTPError {
        HTTPError(
            .unauthorized, headers: HTTPFields(credentials.challenges.map { HTTPField(name: .wwwAuthenticate, value: $0) }), message: message)
    }
}

extension AccessControl.Credentials {
    /// Whether an `Authorization` header holds the password with its user (RFC 7617), or the token (RFC 6750).
    func match(_ header: String) -> Bool {
        if !tokens.isEmpty, let sent = header.credentials("Bearer") { return sent.isSameSecret(asOneOf: tokens) }
        guard !passwords.isEmpty, let sent = header.credentials("Basic").flatMap({ Data(base64Encoded: $0) }) else { return false }
        return String(decoding: sent, as: UTF8.self).isSameSecret(asOneOf: passwords.map { "\(user):\($0)" })
    }

    /// Whether a request brings the password or the token, once.
    func match(_ request: Request) -> Bool {
        let sent = request.headers[values: .authorization]
        return sent.count == 1 && match(sent[0])
    }

    /// What may be sent, the one that browsers understand first.
    fileprivate var challenges: [String] {
        (passwords.isEmpty ? [] : [#"Basic realm="Callreel", charset="UTF-8""#]) + (tokens.isEmpty ? [] : [#"Bearer realm="Callreel""#])
    }
}
