import CallreelCore
import Crypto
import Foundation
import HTTPTypes
import NIOHTTP1

/// The opening handshake of RFC 6455, section 4.2: which requests become calls, and what the others are told.
struct WebSocketUpgrade: Sendable {
    /// A request that asked for a WebSocket and does not get one.
    struct Refusal: Error, Sendable {
        let status: HTTPResponseStatus
        /// Why, for the log.
        let reason: String
        /// Why, for the client, where that is less.
        var shown: String?
        /// What refusals are counted under.
        var kind = RefusalReason.handshake.rawValue
        var headers: HTTPHeaders = [:]
    }

    /// The only path that takes calls.
    let path: String
    /// Who may come in.
    let callGuard: CallGuard
    /// The path of the echo that only servers of tests have.
    var echoPath: String?
    /// Brings a request's target into the form that is compared.
    var target = RequestTarget(publicURL: nil, vonagePath: "")
    /// Which names and pages the request may come from; nil takes all.
    var hosts: KnownHosts?
    /// What RFC 6455, section 1.3 appends to the client's key.
    private static let keySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    /// The subprotocol that the older Vonage bridge offers; some clients insist on an answer.
    private static let bridgeProtocol = "WSBRIDGE"

    /// Whether a request asks for a WebSocket at all.
    static func isAskedFor(by head: HTTPRequestHead) -> Bool {
        head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
    }

    /// The path of a request's target, in the form that requests for pages have as well.
    func path(of target: String) -> String { String(self.target.canonical(RequestTarget.origin(of: target).target).prefix { $0 != "?" }) }

    /// Checks the form of a request that asks for a WebSocket.
    func check(_ head: HTTPRequestHead) throws(Refusal) {
        let asked = path(of: head.uri)
        guard asked == path || asked == echoPath else {
            throw Refusal(status: .notFound, reason: "no calls are taken at \(asked.debugDescription); the path is \(path)")
        }
        guard head.method == .GET else {
            throw Refusal(status: .methodNotAllowed, reason: "a WebSocket is opened with GET, not \(head.method.rawValue)", headers: ["allow": "GET"])
        }
        guard head.version == .http1_1, head.headers[canonicalForm: "connection"].contains(where: { $0.lowercased() == "upgrade" }) else {
            throw Refusal(status: .badRequest, reason: "a WebSocket is opened over HTTP/1.1 with \"Connection: Upgrade\"")
        }
        guard !head.headers.contains(name: "transfer-encoding"), ["0", nil].contains(head.headers.first(name: "content-length")) else {
            throw Refusal(status: .badRequest, reason: "a request for a WebSocket has no body")
        }
        guard head.headers["sec-websocket-version"] == ["13"] else {
            let all = head.headers["sec-websocket-version"]
            let found = all.isEmpty ? "missing" : all.joined(separator: ", ")
            throw Refusal(
                status: .upgradeRequired, reason: "Sec-WebSocket-Version \(found.debugDescription) is not 13",
                headers: ["sec-websocket-version": "13", "upgrade": "websocket"])
        }
        let keys = head.headers["sec-websocket-key"]
        guard keys.count == 1, Data(base64Encoded: keys[0])?.count == 16 else {
            throw Refusal(status: .badRequest, reason: "Sec-WebSocket-Key is not 16 bytes in base64")
        }
        try checkOrigin(of: head)
    }

    /// Refuses a request that a page of another site made a browser send. Carriers name no origin, and may come under any name.
    private func checkOrigin(of head: HTTPRequestHead) throws(Refusal) {
        let host = head.headers.first(name: "host")
        do throws(KnownHosts.Refusal) {
            try hosts?.check(host: host, origins: head.headers["origin"], forwardedHost: nil, isForCarriers: true)
        } catch {
            throw Refusal(status: HTTPResponseStatus(statusCode: error.status.code), reason: error.reason, kind: error.kind.rawValue)
        }
    }

    /// The answer to a request that becomes a call. Extensions are declined by not being named.
    static func acceptance(of head: HTTPRequestHead) -> HTTPResponseHead {
        let key = head.headers.first(name: "sec-websocket-key") ?? ""
        var headers: HTTPHeaders = ["connection": "upgrade", "upgrade": "websocket", "sec-websocket-accept": acceptance(of: key)]
        if head.headers[canonicalForm: "sec-websocket-protocol"].contains(where: { $0 == bridgeProtocol }) {
            headers.add(name: "sec-websocket-protocol", value: bridgeProtocol)
        }
        return HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
    }

    /// What a server answers to a client's key, to show that it understood (RFC 6455, section 4.2.2).
    static func acceptance(of key: String) -> String {
        Data(Insecure.SHA1.hash(data: Data((key + keySuffix).utf8))).base64EncodedString()
    }
}

extension WebSocketUpgrade.Refusal {
    /// Refuses a call that cannot be taken now.
    init(_ obstacle: Readiness.Obstacle) {
        self.init(
            status: .serviceUnavailable, reason: obstacle.reason, shown: obstacle.shownToStrangers, kind: obstacle.kind.rawValue,
            headers: ["retry-after": Admission.retryAfter])
    }

    /// Refuses a request that did not come in time.
    static var timeOut: Self { .init(status: .requestTimeout, reason: RefusalReason.handshakeTime.description, kind: .handshakeTime) }

    /// Refuses a request that does not name one host (RFC 9112, section 3.2): a proxy might go by another one.
    static func host(count: Int) -> Self {
        .init(status: .badRequest, reason: count == 0 ? "the request has no Host header" : "the request has \(count) Host headers")
    }

    /// Refuses what NIO's decoder could not read.
    init(_ error: HTTPParserError) {
        switch error {
        case .headerOverflow:
            self.init(status: .requestHeaderFieldsTooLarge, reason: RefusalReason.header.description, kind: .header)
        case .invalidVersion, .paused:
            // NIO's decoder pauses at the preface of HTTP/2 (RFC 9113, section 3.4).
            self.init(status: .httpVersionNotSupported, reason: "this is not HTTP/1.1", kind: .handshake)
        default:
            self.init(status: .badRequest, reason: "this is not HTTP: \(error)", kind: .handshake)
        }
    }

    private init(status: HTTPResponseStatus, reason: String, kind: RefusalReason) {
        self.init(status: status, reason: reason, kind: kind.rawValue)
    }
}
