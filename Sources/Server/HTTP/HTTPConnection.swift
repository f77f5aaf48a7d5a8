import CallreelCore
import NIOCore
import NIOHTTP1
import NIOTLS

/// One HTTP connection. It passes requests on and writes their responses in order, until it closes or becomes a call.
///
/// Any request may ask for an upgrade, even after others (RFC 9110, section 7.8), because proxies reuse their
/// connections.
/// An upgrade or a refusal waits until all earlier requests are answered. Everything here runs on the channel's event
/// loop.
final class HTTPConnection: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// A request passed on to the server, until its response is complete.
    struct Exchange {
        let version: HTTPVersion
        /// The connection stays open for further requests after this one.
        var isKeepAlive: Bool
        /// The client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
        var awaitsContinue: Bool
        /// The response has a body, if its status allows one.
        let wantsBody: Bool
        /// Bytes of the promised response body not yet written; nil if the head promised no length.
        var missingBytes: Int?
    }

    /// An action delayed until the current requests are answered.
    enum Held {
        case upgrade(HTTPRequestHead)
        case refusal(WebSocketUpgrade.Refusal)
    }

    /// The decisions about the connection's use.
    struct Roles {
        /// Checks the form of a request for an upgrade.
        let check: (HTTPRequestHead) throws(WebSocketUpgrade.Refusal) -> Void
        /// Admits a request as a call, or throws a refusal. Returns nil for the echo of tests.
        let admit: (HTTPRequestHead) throws(WebSocketUpgrade.Refusal) -> CallGuard.Candidate?
        /// Turns the connection into a call.
        let upgrade: (HTTPConnection, ChannelHandlerContext, HTTPRequestHead, CallGuard.Candidate?) throws -> Void
        /// Adds the request handlers after this one. Called with the first request.
        let serve: (ChannelHandlerContext) throws -> Void
        /// Records a refusal, and returns the delay for its answer.
        let refused: (WebSocketUpgrade.Refusal, _ head: HTTPRequestHead?) -> TimeAmount
    }

    /// Time limit for requests under way when the server shuts down.
    private static let quiesceLimit = TimeAmount.seconds(5)

    let decoder: RequestDecoder
    let clock: RequestClock
    let roles: Roles
    var exchanges = CircularBuffer<Exchange>(initialCapacity: 0)
    var held: Held?
    /// The head of a request for an upgrade, until the request is complete.
    var upgradeHead: HTTPRequestHead?
    /// The request handlers have been added.
    private(set) var isServed = false
    /// The head of the first exchange's response has been written.
    var isResponding = false
    /// The body of the last exchange is not complete.
    var isReceiving = false
    /// The body of the last exchange will never be complete.
    var isBroken = false
    /// NIO's decoder stops after the current request.
    private var decoderStops = false
    /// No further request is accepted.
    var isLast = false
    /// Nothing more is written.
    var isFinished = false
    var isQuiescing = false
    var isReadHeld = false
    /// A refusal can be written: the connection has no TLS, or its handshake is complete.
    var isWritable: Bool

    /// Makes the handler of a new connection.
    init(decoder: RequestDecoder, clock: RequestClock, isEncrypted: Bool, roles: Roles) {
        self.decoder = decoder
        self.clock = clock
        self.roles = roles
        isWritable = !isEncrypted
    }

    func handlerAdded(context: ChannelHandlerContext) {
        decoder.onBytes = { [clock] in clock.bytesCame() }
        let both = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        clock.start(on: context.eventLoop) { timeOut in
            let (connection, context) = both.value
            connection.timedOut(timeOut, context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func stop() {
        clock.stop()
        decoder.onBytes = {}
    }

    // MARK: - Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isFinished { return }
        switch unwrapInboundIn(data) {
        case .head(let received):
            let head = received.originForm
            guard !isLast, held == nil, upgradeHead == nil else { return }
            clock.headCame()
            let hosts = head.headers["host"].count
            if hosts > 1 || hosts == 0 && head.version.minor > 0 {
                return refuseInTurn(.host(count: hosts), head: head, context)
            }
            guard WebSocketUpgrade.isAskedFor(by: head) else { return handOn(head, context) }
            do throws(WebSocketUpgrade.Refusal) {
                try roles.check(head)
                upgradeHead = head
            } catch {
                refuseInTurn(error, head: head, context)
            }
        case .body:
            if isReceiving { context.fireChannelRead(data) }
        case .end:
            if let head = upgradeHead.take() {
                clock.endCame()
                held = .upgrade(head)
                settle(context)
            } else if isReceiving {
                isReceiving = false
                clock.endCame()
                if decoderStops { decoder.goOn() }
                context.fireChannelRead(data)
                if exchanges.isEmpty { clock.answered() }
            }
        }
    }

    private func handOn(_ received: HTTPRequestHead, _ context: ChannelHandlerContext) {
        var head = received
        decoderStops = RequestDecoder.stops(behind: head)
        // Callreel accepts no other offered protocol.
        head.headers.remove(name: "upgrade")
        if !isServed {
            isServed = true
            do { try roles.serve(context) } catch { return context.close(promise: nil) }
        }
        isReceiving = true
        isLast = !head.isKeepAlive || isQuiescing
        let expects =
            head.version != .http1_0
            && head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
        exchanges.append(
            Exchange(
                version: head.version, isKeepAlive: !isLast, awaitsContinue: expects, wantsBody: head.method != .HEAD))
        if exchanges.count == 1 { sendContinue(context) }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private func sendContinue(_ context: ChannelHandlerContext) {
        guard exchanges.first?.awaitsContinue == true else { return }
        exchanges[exchanges.startIndex].awaitsContinue = false
        context.writeAndFlush(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
    }

    func read(context: ChannelHandlerContext) {
        // Data after a held request would only take memory.
        if held != nil, !isFinished { isReadHeld = true } else { context.read() }
    }

    // MARK: - Responses

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isFinished, !exchanges.isEmpty else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(var head) where !head.status.isInformational:
            isResponding = true
            exchanges[exchanges.startIndex].awaitsContinue = false
            frame(&head)
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let body):
            exchanges[exchanges.startIndex].missingBytes? -= body.readableBytes
            context.write(data, promise: promise)
        case .head: context.write(data, promise: promise)
        case .end: endResponse(data, promise, context)
        }
    }

    /// Sets the response's headers about the connection, in the form of the client's HTTP version (RFC 9112,
    /// section 9.3).
    private func frame(_ head: inout HTTPResponseHead) {
        var exchange = exchanges[exchanges.startIndex]
        if exchange.version == .http1_0 {
            head.version = exchange.version
            // Without a length, the end of the connection is the end of the body.
            let hasLength = head.headers.contains(name: "content-length") || !head.status.mayHaveResponseBody
            if !hasLength { exchange.isKeepAlive = false }
            if exchange.isKeepAlive { head.headers.replaceOrAdd(name: "connection", value: "keep-alive") }
        }
        if isQuiescing, exchanges.count == 1, !isReceiving { exchange.isKeepAlive = false }
        if !exchange.isKeepAlive { head.headers.replaceOrAdd(name: "connection", value: "close") }
        if exchange.wantsBody, head.status.mayHaveResponseBody {
            exchange.missingBytes = head.headers.first(name: "content-length").flatMap { Int($0) }
        }
        exchanges[exchanges.startIndex] = exchange
    }

    private func endResponse(_ data: NIOAny, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        let exchange = exchanges.removeFirst()
        isResponding = false
        if let missing = exchange.missingBytes, missing > 0 {
            // A file has become shorter. The client would take the next response for the rest of it (RFC 9112,
            // section 8).
            finish()
            return context.close(promise: promise)
        }
        let isOver = !exchange.isKeepAlive || (exchanges.isEmpty && (isBroken || isQuiescing))
        guard isOver else {
            context.write(data, promise: promise)
            sendContinue(context)
            if exchanges.isEmpty, !isReceiving { clock.answered() }
            return settle(context)
        }
        finish()
        let written = promise ?? context.eventLoop.makePromise()
        context.writeAndFlush(data, promise: written)
        linger(context, after: written.futureResult)
    }

    /// Closes the connection so that the client can still read the last data, as ``closeLingering(_:)`` does.
    func linger(_ context: ChannelHandlerContext, after written: EventLoopFuture<Void>) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        written.whenComplete { _ in
            let context = bound.value
            let deadline = context.eventLoop.scheduleTask(in: .seconds(1)) { bound.value.close(promise: nil) }
            context.channel.closeFuture.whenComplete { _ in deadline.cancel() }
            context.close(mode: .output, promise: nil)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // The last data is still being sent. The connection closes after it.
        if isFinished { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
    }

    func finish() {
        isFinished = true
        isLast = true
        decoder.mode = .discarding
        clock.stop()
    }

    // MARK: - Time and errors

    private func timedOut(_ timeOut: RequestClock.TimeOut, _ context: ChannelHandlerContext) {
        switch timeOut {
        case .idle: context.close(promise: nil)
        case .head: refuseInTurn(.timeOut, context)
        case .body:
            refuseInTurn(.timeOut, context)
            if isResponding, exchanges.count == 1 { context.close(promise: nil) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            if isFinished, error is ByteToMessageDecoderError { return }
            return context.fireErrorCaught(error)
        }
        // Data after the last request is ignored.
        if !isLast || isReceiving { refuseInTurn(.init(error), context) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted: isWritable = true
        case ChannelEvent.inputClosed:
            // The client may still wait for responses under way. Without any, the connection closes.
            if exchanges.isEmpty, held == nil, !isFinished { return context.close(promise: nil) }
        case is ChannelShouldQuiesceEvent:
            isQuiescing = true
            guard !exchanges.isEmpty || isFinished || held != nil else { return context.close(promise: nil) }
            // Requests under way may finish. The time limit keeps an endless request from delaying the shutdown.
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            let deadline = context.eventLoop.scheduleTask(in: Self.quiesceLimit) { bound.value.close(promise: nil) }
            context.channel.closeFuture.whenComplete { _ in deadline.cancel() }
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }
}

extension HTTPResponseStatus {
    /// The status is informational, so another response follows.
    fileprivate var isInformational: Bool { (100..<200).contains(code) }
}
