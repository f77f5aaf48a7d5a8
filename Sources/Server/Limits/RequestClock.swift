import NIOCore
import NIOHTTP1

/// Gives each request so much time from its beginning to the end of its body: a client that sends a byte now and then would
/// otherwise keep its connection for ever.
///
/// The first request's time begins with the connection. The time between two requests is Hummingbird's to watch.
final class RequestClock: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart

    /// A request that did not come in time. The handlers behind answer it where nothing was answered yet.
    struct TimeOut: Error {}

    private let limit: TimeAmount
    private let onRefusal: (RefusalReason) -> Void
    private var deadline: Scheduled<Void>?

    /// Makes a clock.
    /// - Parameter onRefusal: hears of a request whose head came in time, and whose body did not. It cannot be answered any more.
    init(limit: TimeAmount, onRefusal: @escaping (RefusalReason) -> Void) {
        self.limit = limit
        self.onRefusal = onRefusal
    }

    func handlerAdded(context: ChannelHandlerContext) {
        start(context) { context in context.fireErrorCaught(TimeOut()) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            let onRefusal = NIOLoopBound(onRefusal, eventLoop: context.eventLoop)
            start(context) { context in
                onRefusal.value(.handshakeTime)
                context.close(promise: nil)
            }
        case .body: break
        case .end: deadline?.cancel()
        }
        context.fireChannelRead(data)
    }

    private func start(_ context: ChannelHandlerContext, _ action: @escaping @Sendable (ChannelHandlerContext) -> Void) {
        deadline?.cancel()
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: limit) { action(context.value) }
    }
}

extension NIOHTTPDecoderLimitConfiguration {
    /// What the configuration allows for a request's target and header.
    init(_ limits: Configuration.Limits) {
        self.init()
        maxHeaderFieldSize = limits.headerBytes
        maxHeaderListSize = limits.headerBytes
    }
}
