import CallreelNetwork
import CallreelWebSocket
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
final class CarrierHandler: ChannelDuplexHandler {
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
                var offset = 0
                while let event = unsafe try decoder.next(in: bytes, from: &offset) { handle(event) }
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

    private func handle(_ event: consuming WebSocketEvent) {
        switch consume event {
        case .binary: break
        case .text: break
        case .pong: break
        case .ping(let payload): write(encoder.frame(.pong, payload))
        case .close(let code, let reason): answer(close: code, reason: reason)
        }
    }

    private func answer(close code: WebSocketError.Code?, reason: String) {
        ended.succeed(.init(code: code?.rawValue, reason: reason))
        guard let channel = context?.channel else { return }
        hasSaidGoodbye = true
        write(encoder.closeFrame(code))?.whenComplete { _ in channel.close(promise: nil) }
    }

    @discardableResult private func write(_ frame: [UInt8]) -> EventLoopFuture<Void>? {
        guard let context else { return nil }
        return context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: frame)))
    }
}
