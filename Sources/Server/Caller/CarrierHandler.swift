import Foundation
import NIOCore
import NIOHTTP1

/// Reads a response that refuses the upgrade, for the error message.
final class RefusalReader: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let answer: EventLoopPromise<String>
    private var text = ""

    init(answer: EventLoopPromise<String>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): text = "\(head.status)"
        case .body(let body):
            if text.count < 500 { text += ": " + String(buffer: body).trimmingCharacters(in: .whitespacesAndNewlines) }
        case .end: finish(context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { finish(context) }

    private func finish(_ context: ChannelHandlerContext) {
        answer.succeed(text.isEmpty ? "nothing" : text)
        context.close(promise: nil)
    }
}

/// Answers the server's pings and detects its end of the call. After a close frame it sends nothing more (RFC 6455,
/// section 5.5.1), so later writes fail.
final class CarrierHandler: ChannelDuplexHandler, WebSocketReceiver {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let ended: EventLoopPromise<CarrierConnection.Ending>
    private let encoder = WebSocketFrameEncoder(role: .client)
    private var decoder = WebSocketFrameDecoder(role: .client)
    private var context: ChannelHandlerContext?
    /// The answer to the server's close frame has been written, so later writes fail.
    private var hasSaidGoodbye = false

    init(ended: EventLoopPromise<CarrierConnection.Ending>) { self.ended = ended }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if hasSaidGoodbye { promise?.fail(ChannelError.outputClosed) } else { context.write(data, promise: promise) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        ended.succeed(.init(code: nil, reason: "the connection was lost"))
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        unsafe buffer.withUnsafeReadableBytes { bytes in
            do throws(WebSocketError) {
                unsafe try decoder.decode(bytes, into: self)
            } catch {
                ended.succeed(
                    .init(code: error.code.rawValue, reason: "the server broke the protocol: \(error.reason)"))
                context.close(promise: nil)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended.succeed(.init(code: nil, reason: "the connection was lost"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        ended.succeed(.init(code: nil, reason: networkReason(error)))
        context.close(promise: nil)
    }

    func receive(binary piece: borrowing MaskedBytes) {}
    func receiveBinaryEnd() {}
    func receive(text: [UInt8]) {}
    func receive(pong payload: [UInt8]) {}

    func receive(ping payload: [UInt8]) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: payload.count + 8)
        encoder.write(.pong, payload, to: &buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func receive(close code: WebSocketError.Code?, reason: String) {
        ended.succeed(.init(code: code?.rawValue, reason: reason))
        guard let context else { return }
        hasSaidGoodbye = true
        var buffer = context.channel.allocator.buffer(capacity: 16)
        encoder.writeClose(code, to: &buffer)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(buffer)).whenComplete { _ in channel.close(promise: nil) }
    }
}
