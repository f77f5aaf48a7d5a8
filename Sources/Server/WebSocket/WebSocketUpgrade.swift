import CallreelCore
import CallreelEngine
import CallreelWebSocket
import HTTPTypes
import NIOHTTP1

/// The opening handshake of RFC 6455, section 4.2: the checks of upgrade requests, and their answers.
struct WebSocketUpgrade: Sendable {
    /// The checks of tokens and proofs, by the paths of calls.
    let guards: [String: CallGuard]
    /// The path of the echo, which only test servers have.
    var echoPath: String?
    /// Converts a request's target to the form used for comparison.
    var target = RequestTarget(publicURL: nil, carrierPaths: [])
    /// The check of host names and origins; nil accepts all.
    var hosts: KnownHosts?

    /// Returns true if a request asks for a WebSocket.
    static func isAskedFor(by head: HTTPRequestHead) -> Bool {
        head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
    }

    /// Returns the path of a request's target, in the same form as for other requests.
    func path(of target: String) -> String {
        String(self.target.canonical(RequestTarget.origin(of: target).target).prefix { $0 != "?" })
    }

    /// Checks the form of a request that asks for a WebSocket.
    func check(_ head: HTTPRequestHead) throws(Refusal) {
        let asked = path(of: head.uri)
        guard guards[asked] != nil || asked == echoPath else {
            let paths = guards.keys.sorted().joined(separator: ", ")
            throw Refusal(
                status: .notFound,
                reason: "this server takes no calls at \(asked.debugDescription); "
                    + (guards.count == 1 ? "the path is \(paths)" : "the paths are \(paths)"))
        }
        guard head.method == .GET else {
            throw Refusal(
                status: .methodNotAllowed, reason: "a WebSocket needs GET, not \(head.method.rawValue)",
                headers: ["allow": "GET"])
        }
        guard head.version == .http1_1,
            head.headers[canonicalForm: "connection"].contains(where: { $0.lowercased() == "upgrade" })
        else {
            throw Refusal(
                status: .badRequest, reason: "a WebSocket needs HTTP/1.1 with \"Connection: Upgrade\"")
        }
        guard !head.headers.contains(name: "transfer-encoding"),
            ["0", nil].contains(head.headers.first(name: "content-length"))
        else {
            throw Refusal(status: .badRequest, reason: "a WebSocket request must have no body")
        }
        guard head.headers["sec-websocket-version"] == ["13"] else {
            let all = head.headers["sec-websocket-version"]
            let found = all.isEmpty ? "missing" : all.joined(separator: ", ")
            throw Refusal(
                status: .upgradeRequired, reason: "Sec-WebSocket-Version \(found.debugDescription) is not 13",
                headers: ["sec-websocket-version": "13", "upgrade": "websocket"])
        }
        let keys = head.headers["sec-websocket-key"]
        guard keys.count == 1, WebSocketHandshake.isKey(keys[0]) else {
            throw Refusal(status: .badRequest, reason: "Sec-WebSocket-Key is not 16 bytes in base64")
        }
        try checkOrigin(of: head)
    }

    /// Refuses a request from a page of another site in a browser. Carriers send no origin, and may use any host name.
    private func checkOrigin(of head: HTTPRequestHead) throws(Refusal) {
        let host = head.headers.first(name: "host")
        do throws(KnownHosts.Refusal) {
            try hosts?.check(host: host, origins: head.headers["origin"], forwardedHost: nil, isForCarriers: true)
        } catch {
            throw Refusal(
                status: HTTPResponseStatus(statusCode: error.status.code), reason: error.reason,
                kind: error.kind.rawValue)
        }
    }

    /// Returns the answer to an accepted request. Declines extensions by omitting them.
    /// - Parameter subprotocol: the chosen one of those that the client offers; nil for none.
    static func acceptance(of head: HTTPRequestHead, subprotocol: String?) -> HTTPResponseHead {
        let key = head.headers.first(name: "sec-websocket-key") ?? ""
        var headers: HTTPHeaders = [
            "connection": "upgrade", "upgrade": "websocket",
            "sec-websocket-accept": WebSocketHandshake.acceptance(of: key),
        ]
        // A client fails the connection if it gets a subprotocol that it did not offer (RFC 6455, section 4.1).
        if let subprotocol, head.headers[canonicalForm: "sec-websocket-protocol"].contains(Substring(subprotocol)) {
            headers.add(name: "sec-websocket-protocol", value: subprotocol)
        }
        return HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
    }
}
