import CallreelCore
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Synchronization

/// A connection to the server: plain HTTP for Hummingbird, or a call.
struct CallreelChannel: ServerChildChannel, HTTPChannelHandler {
    /// What a connection has become.
    enum Kind: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        case call(EventLoopFuture<CallSession?>)
        /// One connection too many. It is told so.
        case turnedAway
    }

    /// A connection that may still become either.
    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let kind: EventLoopFuture<Kind>
    }

    let responder: HTTPChannelHandler.Responder
    let recorder: Recorder
    let upgrade: WebSocketUpgrade
    let policy: WebSocketPolicy
    let limits: Configuration.Limits
    let census: ConnectionCensus
    let refusals: RefusalLog
    let hurry: HurrySignal
    let admission: Admission
    let door: Door
    let logger: Logger

    /// Builds the pipeline: TLS where it is configured, HTTP/1.1, the gate, and the handler that turns a call into bare bytes.
    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let encoder = HTTPResponseEncoder()
            if let reason = census.enter(channel) {
                admission.countRefusal(reason)
                refusals.write(["status": "503", "reason": "limits: \(reason.rawValue)"])
                // Over TLS nobody would understand the answer, and a handshake is more than such a connection may cost.
                if door.certificates != nil {
                    channel.close(promise: nil)
                } else {
                    try channel.pipeline.syncOperations.addHandler(TurnedAway(reason))
                }
                return Value(channel: channel, kind: channel.eventLoop.makeSucceededFuture(.turnedAway))
            }
            try channel.pipeline.syncOperations.addHandler(
                SlowReaderGuard(limit: .of(seconds: limits.slowReaderTimeout), onRefusal: admission.countRefusal))
            let decoder = ByteToMessageHandler(
                HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: .init(limits)))
            let log = self.logger
            let clock = RequestClock(limit: policy.handshakeLimit, onRefusal: admission.countRefusal)
            let gate = UpgradeGate(upgrade: upgrade, admission: admission, proxies: door.proxies) { [admission, refusals] refusal, client in
                admission.countRefusal(refusal.kind)
                refusals.write(["status": "\(refusal.status.code)", "reason": "\(refusal.reason)", "client.address": "\(client)"])
            }
            let upgrader = NIOTypedHTTPServerUpgradeHandler(
                httpEncoder: encoder, extraHTTPHandlers: [decoder, clock, gate],
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                    upgraders: [
                        CallUpgrader(
                            recorder: recorder, upgrade: upgrade, policy: policy, isEncrypted: door.certificates != nil, admission: admission,
                            logger: log)
                    ],
                    notUpgradingCompletionHandler: { [door] channel in
                        Self.serveHTTP(on: channel, secure: door.certificates != nil, logger: log)
                    }))
            if let certificates = door.certificates {
                try channel.pipeline.syncOperations.addHandlers([certificates.handler(), TLSFailures(logger: log)])
            }
            try channel.pipeline.syncOperations.addHandlers([encoder, decoder, clock, gate, upgrader])
            return Value(channel: channel, kind: upgrader.upgradeResultFuture)
        }
    }

    /// The connection serves pages and webhooks, as Hummingbird's own HTTP/1 channel does.
    private static func serveHTTP(on channel: any Channel, secure: Bool, logger: Logger) -> EventLoopFuture<Kind> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(HTTP1ToHTTPServerCodec(secure: secure))
            try channel.pipeline.syncOperations.addHandler(HTTPConnectionStateHandler(idleTimeout: .seconds(60), logger: logger))
            return .http(try NIOAsyncChannel(wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
        }
    }

    /// Serves the connection to its end; for a call, until its recording is published.
    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.kind.get() {
            case .http(let channel):
                await handleHTTP(asyncChannel: channel, logger: logger)
            case .call(let started):
                let ticket = hurry.onHurry { [channel = value.channel] in
                    channel.pipeline.fireUserInboundEventTriggered(WebSocketInstruction.leave("the server was shut down at once"))
                }
                defer { hurry.forget(ticket) }
                if let session = try await started.get(), case .failure = await recorder.record(session) {
                    let error = WebSocketError(.internalError, "the call cannot be recorded")
                    value.channel.pipeline.fireUserInboundEventTriggered(WebSocketInstruction.fail(error))
                }
                try await value.channel.closeFuture.get()
            case .turnedAway:
                try await value.channel.closeFuture.get()
            }
        } catch {
            // The connection ended before it became anything, or a socket error that its handler has dealt with.
            self.logger.debug("connection ended early", metadata: ["reason": "\(error)"])
            value.channel.close(promise: nil)
        }
    }
}

/// Turns a checked upgrade request into a call.
private struct CallUpgrader: NIOTypedHTTPServerProtocolUpgrader {
    let recorder: Recorder
    let upgrade: WebSocketUpgrade
    let policy: WebSocketPolicy
    let isEncrypted: Bool
    let admission: Admission
    let logger: Logger
    let supportedProtocol = "websocket"
    let requiredUpgradeHeaders: [String] = []

    func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        channel.eventLoop.makeSucceededFuture(WebSocketUpgrade.responseHeaders(for: upgradeRequest, initial: initialResponseHeaders))
    }

    func upgrade(channel: any Channel, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<CallreelChannel.Kind> {
        channel.eventLoop.makeCompletedFuture {
            let started = channel.eventLoop.makePromise(of: CallSession?.self)
            let options = channel.syncOptions
            try options?.setOption(.autoRead, value: false)
            let socket = isEncrypted ? nil : try channel.pipeline.syncOperations.socket
            // What is read past NIO needs none of its buffers: it only begins, and tells when there is more.
            try options?.setOption(.recvAllocator, value: ReadBuffers(bytesPerRead: socket == nil ? policy.readSize : 0))
            if socket != nil { try options?.setOption(.maxMessagesPerRead, value: 1) }
            if upgradeRequest.uri == upgrade.echoPath {
                started.succeed(nil)
                let echo = EchoConsumer(logger: logger)
                try channel.pipeline.syncOperations.addHandler(
                    WebSocketHandler(consumer: echo, policy: policy, socket: socket, onRefusal: admission.countRefusal))
                return .call(started.futureResult)
            }
            let dialect = VonageDialect(token: upgrade.callGuard.token(of: upgradeRequest))
            let call = CallConsumer(recorder: recorder, dialect: dialect, started: started, logger: logger)
            try channel.pipeline.syncOperations.addHandler(
                WebSocketHandler(consumer: call, policy: policy, socket: socket, onRefusal: admission.countRefusal))
            return .call(started.futureResult)
        }
    }
}

/// Tells every running call, at once, that there is no time left.
final class HurrySignal: Sendable {
    private struct State {
        var isGiven = false
        var next = 0
        var actions: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Runs an action when the signal is given, or at once when it has been.
    /// - Returns: what to give to ``forget(_:)`` when the action has lost its meaning.
    func onHurry(_ action: @escaping @Sendable () -> Void) -> Int {
        let (ticket, isGiven) = state.withLock { state in
            state.next += 1
            state.actions[state.next] = action
            return (state.next, state.isGiven)
        }
        if isGiven { action() }
        return ticket
    }

    /// Drops an action.
    func forget(_ ticket: Int) { state.withLock { _ = $0.actions.removeValue(forKey: ticket) } }

    /// Whether the signal was given.
    var isGiven: Bool { state.withLock { $0.isGiven } }

    /// Gives the signal.
    func give() {
        let actions = state.withLock { state in
            state.isGiven = true
            return Array(state.actions.values)
        }
        for action in actions { action() }
    }
}
