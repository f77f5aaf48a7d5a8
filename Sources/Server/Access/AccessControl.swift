import CallreelCore
import Foundation
import HTTPTypes
import Hummingbird
import Logging

/// Requires the password or the token for every path that is not declared open: the page, the API and the recordings.
struct AccessControl: RouterMiddleware {
    typealias Context = RequestScope

    /// The user, passwords and tokens that grant access.
    struct Credentials: Sendable {
        let user: String
        /// Every password is valid, so that you can change one while the other is still in use.
        /// The two lists together have at least one entry.
        let passwords: [String]
        let tokens: [String]
    }

    let credentials: Credentials
    /// The paths without this check. They have a check of their own or show no secrets.
    let openPaths: Set<String>
    let proxies: TrustedProxies
    let refusals: Refusals
    /// Delays clients that guess passwords.
    let tries: FailedTries

    func handle(
        _ request: Request, context: RequestScope, next: @concurrent (Request, RequestScope) async throws -> Response
    ) async throws -> Response {
        // The path is in canonical form, as the router sees it, so no other spelling of an open path is open.
        let path = request.uri.path
        let sent = request.headers[values: .authorization]
        // With a password, `/readyz` says more. A password sent to it is therefore checked like any other.
        if openPaths.contains(path), path != "/readyz" || sent.isEmpty { return try await next(request, context) }
        let client = proxies.client(of: request, in: context)
        guard !sent.isEmpty else {
            // A browser's first request has no password.
            refusals.record(
                RefusalReason.noCredentials.rawValue, as: "access without credentials refused", level: .info,
                ["client.address": "\(client)", "path": "\(path)"])
            throw unauthorized("send a password or a token")
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
                .tooManyRequests, headers: [.retryAfter: "\(Int(tries.longestWait))"],
                message: RefusalReason.tries.description)
        }
        let isRight = sent.count == 1 && credentials.match(sent[0])
        tries.ended(turn, of: client, isRight: isRight)
        if isRight { return try await next(request, context) }
        refusals.record(Unauthorized.kind, as: "access refused", ["client.address": "\(client)", "path": "\(path)"])
        throw unauthorized("the password or the token is wrong")
    }

    private func unauthorized(_ message: String) -> HTTPError {
        HTTPError(
            .unauthorized,
            headers: HTTPFields(credentials.challenges.map { HTTPField(name: .wwwAuthenticate, value: $0) }),
            message: message)
    }
}

extension AccessControl.Credentials {
    /// Returns true if an `Authorization` header has the user and a password (RFC 7617), or a token (RFC 6750).
    func match(_ header: String) -> Bool {
        if !tokens.isEmpty, let sent = header.credentials("Bearer") { return sent.isSameSecret(asOneOf: tokens) }
        guard !passwords.isEmpty, let sent = header.credentials("Basic").flatMap({ Data(base64Encoded: $0) }) else {
            return false
        }
        return String(decoding: sent, as: UTF8.self).isSameSecret(asOneOf: passwords.map { "\(user):\($0)" })
    }

    /// Returns true if a request has exactly one `Authorization` header, with a password or a token.
    func match(_ request: Request) -> Bool {
        let sent = request.headers[values: .authorization]
        return sent.count == 1 && match(sent[0])
    }

    /// The `WWW-Authenticate` values. Basic, which browsers understand, comes first.
    fileprivate var challenges: [String] {
        (passwords.isEmpty ? [] : [#"Basic realm="Callreel", charset="UTF-8""#])
            + (tokens.isEmpty ? [] : [#"Bearer realm="Callreel""#])
    }
}
