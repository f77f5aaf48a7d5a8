import NIOCore

/// The only handler of a connection above the limits. It answers status 503 to any request, and closes.
final class TurnedAway: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: String

    /// Makes the handler.
    /// - Parameter reason: the limit that was reached, for the answer's text.
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

/// Closes a connection so that the client can still read the last data.
///
/// If the server closed at once while the client was still sending, the client's system would discard that data (RFC
/// 9112, section 9.6).
/// The server therefore closes its sending side first, and discards the client's data for at most a second.
func closeLingering(_ channel: any Channel) {
    let deadline = channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
    channel.closeFuture.whenComplete { _ in deadline.cancel() }
    channel.close(mode: .output, promise: nil)
}
