import CallreelCore
import NIOCore
import NIOHTTP1
import NIOTLS

/// One HTTP connection: requests go in and responses go out in their order, until the connection ends or becomes a call.
///
/// Any request may ask for an upgrade, also behind others (RFC 9110, section 7.8): proxies reuse their connections. An upgrade and a
/// refusal wait until all earlier requests are answered. Everything here runs on the channel's event loop.
final class HTTPConnection: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// A request that was handed on and whose response has not ended.
    struct Exchange {
        let version: HTTPVersion
        /// The client wants, and can have, further requests on the connection.
        var isKeepAlive: Bool
        /// The client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
        var awaitsContinue: Bool
        /// The response has a body, if its status allows one.
        let wantsBody: Bool
        /// Bytes of the body that the response's head has promised and that are still to come; nil without a promise.
        var missingBytes: Int?
    }

    /// What comes after the requests that are under way.
    enum Held {
        case upgrade(HTTPRequestHead)
        case refusal(WebSocketUpgrade.Refusal)
    }

    /// Decides what becomes of the connection.
    struct Roles {
        /// Checks the form of a request for an upgrade.
        let check: (HTTPRequestHead) throws(WebSocketUpgrade.Refusal) -> Void
        /// Lets a request in as a call, or refuses it.
        let admit: (HTTPRequestHead) throws(WebSocketUpgrade.Refusal) -> Void
        /// Makes the connection a call. The second argument says whether it was handed on before.
        let upgrade: (HTTPConnection, ChannelHandlerContext, HTTPRequestHead) throws -> Void
        /// Adds the handlers that answer requests, behind this one. Called with the first request.
        let serve: (ChannelHandlerContext) throws -> Void
        /// Records a refusal, and says how long its answer is held back.
        let refused: (WebSocketUpgrade.Refusal, _ head: HTTPRequestHead?) -> TimeAmount
    }

    /// Time that a request under way still has when the server ends.
    private static let quiesceLimit = TimeAmount.seconds(5)

    let decoder: RequestDecoder
    let clock: RequestClock
    let roles: Roles
    var exchanges = CircularBuffer<Exchange>(initialCapacity: 0)
    var held: Held?
    /// The head of a request for an upgrade, until its end has come.
    var upgradeHead: HTTPRequestHead?
    /// Handlers that answer requests are behind this one.
    private(set) var isServed = false
    /// The head of the first exchange's response was written.
    var isResponding = false
    /// The body of the last exchange has not ended.
    var isReceiving = false
    /// The last exchange's body will never end.
    var isBroken = false
    /// NIO's decoder stops behind the request that is received.
    private var decoderStops = false
    /// No further request is taken.
    var isLast = false
    /// Nothing more is written.
    var isFinished = false
    var isQuiescing = false
    var isReadHeld = false
    /// A refusal can be written: there is no TLS, or its handshake is over.
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
            if hosts > 1 || hosts == 0 && head.version.minor > 0 { return refuseInTurn(.host(count: hosts), head: head, context) }
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
        // Other protocols that are offered are not taken up.
        head.headers.remove(name: "upgrade")
        if !isServed {
            isServed = true
            do { try roles.serve(context) } catch { return context.close(promise: nil) }
        }
        isReceiving = true
        isLast = !head.isKeepAlive || isQuiescing
        let expects = head.version != .http1_0 && head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
        exchanges.append(Exchange(version: head.version, isKeepAlive: !isLast, awaitsContinue: expects, wantsBody: head.method != .HEAD))
        if exchanges.count == 1 { sendContinue(context) }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private func sendContinue(_ context: ChannelHandlerContext) {
        guard exchanges.first?.awaitsContinue == true else { return }
        exchanges[exchanges.startIndex].awaitsContinue = false
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
    }

    func read(context: ChannelHandlerContext) {
        // What follows a held request would only be kept in memory.
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

    /// Says in a response's head what becomes of the connection, in the way that the client's version has (RFC 9112, section 9.3).
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
            // A file has become shorter. What came next would be taken for its rest (RFC 9112, section 8).
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

    /// Ends the connection so that the other side can still read what was written last, as ``closeLingering(_:)`` does.
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
        // What was written last is still on its way, and the connection is closed behind it.
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
        // What follows the last request is not looked at.
        if !isLast || isReceiving { refuseInTurn(.init(error), context) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted: isWritable = true
        case ChannelEvent.inputClosed:
            // With responses under way, the client may still wait for them. Otherwise it is gone.
            if exchanges.isEmpty, held == nil, !isFinished { return context.close(promise: nil) }
        case is ChannelShouldQuiesceEvent:
            isQuiescing = true
            guard !exchanges.isEmpty || isFinished || held != nil else { return context.close(promise: nil) }
            // What is under way may end; a client that never ends its request does not hold up the server's end.
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            let deadline = context.eventLoop.scheduleTask(in: Self.quiesceLimit) { bound.value.close(promise: nil) }
            context.channel.closeFuture.whenComplete { _ in deadline.cancel() }
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }
}

extension HTTPResponseStatus {
    /// Whether another response follows this one.
    fileprivate var isInformational: Bool { (100..<200).contains(code) }
}
