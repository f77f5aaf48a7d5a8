import NIOCore

/// Stands alone in the pipeline of a connection that is one too many: it answers status 503, whatever is asked, and closes.
final class TurnedAway: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: String

    /// Makes the handler.
    /// - Parameter reason: a line that the client is told.
    init(_ reason: RefusalReason) {
        let text = reason == .address ? "too many connections from one address\n" : "too many connections\n"
        answer = """
            HTTP/1.1 503 Service Unavailable\r
            content-type: text/plain; charset=utf-8\r
            content-length: \(text.utf8.count)\r
            retry-after: \(Admission.retryAfter)\r
            connection: close\r
            \r
            \(text)
            """
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer))).whenComplete { _ in closeLingering(channel) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Ends a connection so that the other side can still read what was written last: closing while it sends would make its system
/// throw that away (RFC 9112, section 9.6). What it still sends is read and thrown away, for a second at most.
func closeLingering(_ channel: any Channel) {
    let deadline = channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
    channel.closeFuture.whenComplete { _ in deadline.cancel() }
    channel.close(mode: .output, promise: nil)
}
