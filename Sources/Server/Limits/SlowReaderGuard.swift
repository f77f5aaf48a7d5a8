import NIOCore

/// Closes a connection whose other side does not read what is sent to it: a file that is asked for and left, pings without end.
final class SlowReaderGuard: ChannelInboundHandler {
    typealias InboundIn = NIOAny

    private let limit: TimeAmount
    private let onRefusal: (RefusalReason) -> Void
    private var deadline: Scheduled<Void>?

    /// Makes a guard.
    /// - Parameters:
    ///   - limit: how long the channel may have no room for more.
    ///   - onRefusal: hears of a connection that is closed, to be counted.
    init(limit: TimeAmount, onRefusal: @escaping (RefusalReason) -> Void) {
        self.limit = limit
        self.onRefusal = onRefusal
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        deadline?.cancel()
        if !context.channel.isWritable {
            let both = NIOLoopBound((context, onRefusal), eventLoop: context.eventLoop)
            deadline = context.eventLoop.scheduleTask(in: limit) {
                let (context, onRefusal) = both.value
                onRefusal(.slowReader)
                // A call's recording says why it ended.
                context.fireUserInboundEventTriggered(WebSocketInstruction.lost("the carrier did not read what was sent to it"))
                context.close(promise: nil)
            }
        }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }
}
