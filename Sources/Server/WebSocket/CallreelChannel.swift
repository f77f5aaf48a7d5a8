import CallreelCore
import CallreelEngine
import CallreelNetwork
import CallreelWebSocket
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Synchronization

/// A connection to the server. It is plain HTTP for Hummingbird, or a call, or first HTTP and then a call.
struct CallreelChannel: ServerChildChannel, HTTPChannelHandler {
    /// The use of a connection.
    enum Kind: Sendable {
        /// The connection answers requests. A later request may make it a call.
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>, LaterCall)
        case call
        /// The connection is above a limit, and gets a refusal.
        case turnedAway
    }

    /// A connection whose use is not decided yet.
    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let kind: EventLoopFuture<Kind>
    }

    /// Tells the task that answers requests that its connection has become a call.
    final class LaterCall: Sendable {
        private let hasCome = Atomic(false)

        func set() { hasCome.store(true, ordering: .releasing) }
        func take() -> Bool { hasCome.exchange(false, ordering: .acquiring) }
    }

    var responder: HTTPChannelHandler.Responder
    let calls: CallDesk
    let upgrade: WebSocketUpgrade
    let limits: ConnectionLimits
    let hurry: HurrySignal
    let door: Door

    private var admission: Admission { calls.admission }
    private var policy: WebSocketPolicy { limits.policy }
    private var isEncrypted: Bool { door.certificates != nil }

    /// Builds the pipeline: TLS if it is configured, HTTP/1.1, and the handler that answers requests or makes the
    /// connection a call.
    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let client = channel.remoteAddress?.ipAddress
            if let reason = limits.census.enter(channel) {
                admission.refusals.record(reason, client: client)
                // Over TLS, the client could not read a plain answer, and a handshake would cost too much for a refused
                // connection.
                if isEncrypted { channel.close(promise: nil) } else { try pipeline.addHandler(TurnedAway(reason)) }
                return Value(channel: channel, kind: channel.eventLoop.makeSucceededFuture(.turnedAway))
            }
            let refusals = admission.refusals
            try pipeline.addHandler(
                SlowReaderGuard(limit: .of(seconds: limits.requests.slowReaderTimeout)) {
                    refusals.record(.slowReader, client: client)
                })
            if let certificates = door.certificates {
                try pipeline.addHandlers([certificates.handler(), TLSFailures(refusals: refusals)])
            }
            let kind = channel.eventLoop.makePromise(of: Kind.self)
            // If the use is decided already, this has no effect.
            channel.closeFuture.whenComplete { _ in kind.fail(ChannelError.eof) }
            let decoder = RequestDecoder(limits.requests)
            let encoder = HTTPResponseEncoder()
            let bytes = ByteToMessageHandler(decoder)
            let connection = HTTPConnection(
                decoder: decoder,
                clock: RequestClock(
                    limit: policy.handshakeLimit, idleLimit: .of(seconds: limits.requests.keepAliveTimeout)),
                isEncrypted: isEncrypted,
                roles: roles(of: channel, client: client, kind: kind, encoder: encoder, bytes: bytes))
            try pipeline.addHandlers([encoder, bytes, connection])
            return Value(channel: channel, kind: kind.futureResult)
        }
    }

    /// Returns the decisions about the connection's use.
    private func roles(
        of channel: any Channel, client peer: String?, kind: EventLoopPromise<Kind>, encoder: HTTPResponseEncoder,
        bytes: ByteToMessageHandler<RequestDecoder>
    ) -> HTTPConnection.Roles {
        let later = LaterCall()
        return HTTPConnection.Roles(
            check: upgrade.check,
            admit: { head throws(WebSocketUpgrade.Refusal) in try admit(head, until: channel.closeFuture) },
            upgrade: { connection, context, head, candidate in
                let answer = WebSocketUpgrade.acceptance(of: head, subprotocol: candidate?.admission.subprotocol)
                context.writeAndFlush(HTTPConnection.wrapOutboundOut(.head(answer)), promise: nil)
                if connection.isServed {
                    // The request goes to the task that answers requests. From here on, that task serves the call.
                    later.set()
                    context.fireChannelRead(HTTPConnection.wrapInboundOut(.head(head)))
                    context.fireChannelRead(HTTPConnection.wrapInboundOut(.end(nil)))
                    context.fireChannelReadComplete()
                    try context.pipeline.syncOperations.addHandler(CallBorder(), position: .after(connection))
                } else {
                    kind.succeed(.call)
                }
                connection.decoder.mode = .forwarding
                try addCall(to: channel, behind: connection, candidate)
                let pipeline = context.pipeline.syncOperations
                pipeline.removeHandler(encoder, promise: nil)
                pipeline.removeHandler(connection, promise: nil)
                // Removing this handler passes the bytes already read to the call.
                pipeline.removeHandler(bytes, promise: nil)
            },
            serve: { context in
                let pipeline = channel.pipeline.syncOperations
                try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: isEncrypted))
                let requests = try NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                kind.succeed(.http(requests, later))
            },
            refused: { refusal, head in
                let client = door.proxies.client(peer: peer) { head?.headers[$0] ?? [] }
                admission.refusals.record(
                    refusal.kind,
                    ["status": "\(refusal.status.code)", "reason": "\(refusal.reason)", "client.address": "\(client)"])
                guard refusal.kind == Unauthorized.kind else { return .zero }
                return TimeAmount(door.failedCalls.failed(client))
            })
    }

    /// Admits a request as a call. Takes a place once the request is known to be valid, and uses up its token once it
    /// has a place.
    private func admit(
        _ head: HTTPRequestHead, until closed: EventLoopFuture<Void>
    ) throws(WebSocketUpgrade.Refusal) -> CallGuard.Candidate? {
        let callGuard = upgrade.guards[upgrade.path(of: head.uri)]
        // An upgrade request has no body, so it does not matter whether the request came over TLS.
        let candidate: CallGuard.Candidate? =
            if let callGuard { try callGuard.check(head, isSecure: true) } else { nil }
        // A token valid during the drain was issued before it, because the answer webhook refuses calls while draining.
        let place = try admission.enter { candidate?.token != nil || !admission.expected.isEmpty() }
        if let callGuard, let candidate {
            do throws(WebSocketUpgrade.Refusal) {
                try callGuard.redeem(head, candidate)
            } catch {
                place.leave()
                throw error
            }
        }
        admission.expected.remove(candidate?.token)
        place.keep(until: closed)
        return candidate
    }

    /// Adds the handler of a call's frames. From here on, that handler reads the socket.
    private func addCall(
        to channel: any Channel, behind connection: HTTPConnection, _ candidate: CallGuard.Candidate?
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        let options = channel.syncOptions
        try options?.setOption(.autoRead, value: false)
        let socket = isEncrypted ? nil : try pipeline.socket
        // A socket that is read past NIO needs no buffer of NIO. NIO reads it only at the start, and reports when more
        // data has come.
        try options?.setOption(.recvAllocator, value: ReadBuffers(bytesPerRead: socket == nil ? policy.readSize : 0))
        if socket != nil { try options?.setOption(.maxMessagesPerRead, value: 1) }
        let client = channel.remoteAddress?.ipAddress
        let onRefusal: @Sendable (WebSocketError) -> Void = { [refusals = admission.refusals] error in
            guard let reason = error.refusal else { return }
            refusals.record(
                reason.rawValue,
                [
                    "code": "\(error.code.rawValue)", "reason": "\(error.reason)",
                    "client.address": "\(client ?? "unknown")",
                ])
        }
        guard let candidate else {
            let echo = EchoConsumer(logger: calls.logger)
            let handler = WebSocketHandler(consumer: echo, policy: policy, socket: socket, onRefusal: onRefusal)
            return try pipeline.addHandler(handler, position: .after(connection))
        }
        var logger = calls.logger
        logger[metadataKey: "carrier"] = "\(candidate.entry.plan.name)"
        let call = CallConsumer(
            recorder: calls.recorder, dialect: candidate.entry.carrier.makeDialect(for: candidate.admission),
            token: candidate.token, aheadLimit: policy.aheadLimit, logger: logger)
        let handler = WebSocketHandler(consumer: call, policy: policy, socket: socket, onRefusal: onRefusal)
        try pipeline.addHandler(handler, position: .after(connection))
    }

    // MARK: - Serving

    /// Serves the connection to its end. The recorder finishes a call by itself.
    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.kind.get() {
            case .http(let requests, let later):
                var server = self
                server.responder = { [responder] request, writer, channel in
                    guard later.take() else { return try await responder(request, writer, channel) }
                    try await serveCall(on: channel)
                }
                await server.handleHTTP(asyncChannel: requests, logger: logger)
            case .call: try await serveCall(on: value.channel)
            case .turnedAway: try await value.channel.closeFuture.get()
            }
        } catch {
            // The connection ended before its use was decided, or with a socket error that its handler has already
            // handled.
            calls.logger.debug("connection ended early", metadata: ["reason": "\(networkReason(error))"])
            value.channel.close(promise: nil)
        }
    }

    /// Waits for the end of a call's connection, and ends it if the server must end at once.
    private func serveCall(on channel: any Channel) async throws {
        let ticket = hurry.onHurry {
            channel.pipeline.fireUserInboundEventTriggered(
                WebSocketInstruction.leave("the server was shut down at once"))
        }
        defer { hurry.forget(ticket) }
        try await channel.closeFuture.get()
    }
}
