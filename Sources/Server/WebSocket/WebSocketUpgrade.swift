import CallreelCore
import Crypto
import Foundation
import NIOCore
import NIOExtras
import NIOHTTP1

/// The opening handshake of RFC 6455, section 4.2: which requests become calls, and what the others are told.
struct WebSocketUpgrade: Sendable {
    /// A request that asked for a WebSocket and does not get one.
    struct Refusal: Error, Sendable {
        let status: HTTPResponseStatus
        let reason: String
        /// What refusals are counted under.
        var kind = "handshake"
        var headers: HTTPHeaders = [:]
    }

    /// The only path that takes calls.
    let path: String
    /// Who may come in.
    let callGuard: CallGuard
    /// The path of the echo that only servers of tests have.
    var echoPath: String?
    /// What RFC 6455, section 1.3 appends to the client's key.
    private static let keySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    /// The subprotocol that the older Vonage bridge offers; some clients insist on an answer.
    private static let bridgeProtocol = "WSBRIDGE"

    /// Whether a request asks for a WebSocket at all.
    static func isAskedFor(by head: HTTPRequestHead) -> Bool {
        head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
    }

    /// Checks a request that asks for a WebSocket.
    func check(_ head: HTTPRequestHead) throws(Refusal) {
        let asked = head.uri.prefix { $0 != "?" }
        guard asked == path || String(asked) == echoPath else {
            throw Refusal(status: .notFound, reason: "no calls are taken at \(String(asked).debugDescription); the path is \(path)")
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
    }

    /// The headers of the answer to a request that was checked. Extensions are declined by not being named.
    static func responseHeaders(for head: HTTPRequestHead, initial: HTTPHeaders) -> HTTPHeaders {
        var headers = initial
        headers.replaceOrAdd(name: "sec-websocket-accept", value: acceptance(of: head.headers.first(name: "sec-websocket-key") ?? ""))
        if head.headers[canonicalForm: "sec-websocket-protocol"].contains(where: { $0 == bridgeProtocol }) {
            headers.replaceOrAdd(name: "sec-websocket-protocol", value: bridgeProtocol)
        }
        return headers
    }

    /// What a server answers to a client's key, to show that it understood (RFC 6455, section 4.2.2).
    static func acceptance(of key: String) -> String {
        Data(Insecure.SHA1.hash(data: Data((key + keySuffix).utf8))).base64EncodedString()
    }
}

/// Stands before the upgrade and answers requests for a WebSocket that cannot have one.
///
/// NIO's upgrade handler would end such a connection without a word, and takes a POST or an old version for good.
final class UpgradeGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let upgrade: WebSocketUpgrade
    /// How long a request may still take when the server ends.
    private static let requestLimit = TimeAmount.seconds(5)

    private let admission: Admission
    private let proxies: TrustedProxies
    private let onRefusal: (WebSocketUpgrade.Refusal, _ client: String) -> Void
    /// The address that the request comes from, once there is one.
    private var client: String?
    private var hasRefused = false
    private var hasPassed = false

    /// Makes a gate.
    /// - Parameters:
    ///   - admission: says whether calls are taken at all.
    ///   - proxies: whose word about a client's address is believed.
    ///   - onRefusal: hears of every refusal and of the address that was refused, for the log.
    init(
        upgrade: WebSocketUpgrade, admission: Admission, proxies: TrustedProxies,
        onRefusal: @escaping (WebSocketUpgrade.Refusal, _ client: String) -> Void
    ) {
        self.upgrade = upgrade
        self.admission = admission
        self.proxies = proxies
        self.onRefusal = onRefusal
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasRefused else { return }
        hasPassed = true
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        if WebSocketUpgrade.isAskedFor(by: head) {
            client = proxies.client(peer: context.remoteAddress?.ipAddress, forwardedFor: head.headers["x-forwarded-for"])
            do throws(WebSocketUpgrade.Refusal) {
                try upgrade.check(head)
                if let obstacle = admission.enter(until: context.channel.closeFuture) {
                    throw WebSocketUpgrade.Refusal(
                        status: .serviceUnavailable, reason: obstacle.reason, kind: obstacle.kind.rawValue,
                        headers: ["retry-after": Admission.retryAfter])
                }
                // The last check: it uses up the call's token.
                try upgrade.callGuard.admit(head)
            } catch {
                return refuse(error, context)
            }
        } else {
            // Other protocols that are offered are not taken up (RFC 9110, section 7.8); NIO would close the connection.
            head.headers.remove(name: "upgrade")
        }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            guard hasPassed else { return context.close(promise: nil) }
            // What is under way may end; a client that never ends its request does not hold up the server's end.
            let channel = context.channel
            let deadline = context.eventLoop.scheduleTask(in: Self.requestLimit) { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in deadline.cancel() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Once a request has come through, Hummingbird answers for the connection.
        guard !hasPassed, !hasRefused else { return context.fireErrorCaught(error) }
        switch error {
        case is RequestClock.TimeOut:
            refuse(.init(status: .requestTimeout, reason: "the request did not come in time", kind: RefusalReason.handshakeTime.rawValue), context)
        case HTTPParserError.headerOverflow:
            let reason = "the request's header is too large"
            refuse(.init(status: .requestHeaderFieldsTooLarge, reason: reason, kind: RefusalReason.header.rawValue), context)
        default:
            refuse(.init(status: .badRequest, reason: "this is not HTTP: \(error)"), context)
        }
    }

    private func refuse(_ refusal: WebSocketUpgrade.Refusal, _ context: ChannelHandlerContext) {
        hasRefused = true
        onRefusal(refusal, client ?? context.remoteAddress?.ipAddress ?? "unknown")
        var body = context.channel.allocator.buffer(capacity: refusal.reason.utf8.count + 1)
        body.writeString(refusal.reason + "\n")
        var headers = refusal.headers
        headers.add(name: "content-type", value: "text/plain; charset=utf-8")
        headers.add(name: "content-length", value: "\(body.readableBytes)")
        headers.add(name: "connection", value: "close")
        let head = HTTPResponseHead(version: .http1_1, status: refusal.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in closeLingering(channel) }
    }
}
