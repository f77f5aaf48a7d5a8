import NIOCore
import NIOHTTP1

/// Decodes one request after another, even after an offer of another protocol.
///
/// NIO's decoder stops after each request with `Connection: Upgrade`, because bytes of another protocol may follow.
/// If the server declines the offer, the next request follows (RFC 9110, section 7.8), and a new decoder reads it.
final class RequestDecoder: ByteToMessageDecoder {
    typealias InboundOut = HTTPServerRequestPart

    /// The handling of received bytes.
    enum Mode {
        /// The bytes are decoded as requests.
        case requests
        /// The bytes belong to another protocol. They are passed on unchanged when the decoder is removed.
        case forwarding
        /// The bytes are discarded.
        case discarding
    }

    var mode = Mode.requests
    /// Called before bytes are decoded.
    var onBytes: () -> Void = {}
    private let limits: NIOHTTPDecoderLimitConfiguration
    private var decoder: HTTPRequestDecoder
    private var mustRestart = false

    /// Makes a decoder.
    init(_ limits: Configuration.Limits) {
        self.limits = .init(limits)
        decoder = Self.decoder(self.limits)
    }

    private static func decoder(_ limits: NIOHTTPDecoderLimitConfiguration) -> HTTPRequestDecoder {
        HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)
    }

    /// Returns true if NIO's decoder stops after a request.
    static func stops(behind head: HTTPRequestHead) -> Bool {
        if head.method == .CONNECT { return true }
        return head.headers.contains(name: "upgrade")
            && head.headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
    }

    /// Continues after a request for which ``stops(behind:)`` is true. Called while the end of that request is handled.
    func goOn() { mustRestart = true }

    func decoderAdded(context: ChannelHandlerContext) { decoder.decoderAdded(context: context) }

    func decoderRemoved(context: ChannelHandlerContext) { decoder.decoderRemoved(context: context) }

    func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard case .requests = mode else {
            discard(&buffer)
            return .needMoreData
        }
        onBytes()
        repeat {
            mustRestart = false
            _ = try decoder.decode(context: context, buffer: &buffer)
            if mustRestart {
                decoder.decoderRemoved(context: context)
                decoder = Self.decoder(limits)
                decoder.decoderAdded(context: context)
            }
        } while mustRestart && buffer.readableBytes > 0
        discard(&buffer)
        return .needMoreData
    }

    func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
        switch mode {
        case .requests:
            return seenEOF ? try decoder.decodeLast(context: context, buffer: &buffer, seenEOF: true) : .needMoreData
        case .forwarding:
            if let rest = buffer.readSlice(length: buffer.readableBytes), rest.readableBytes > 0 {
                context.fireChannelRead(NIOAny(rest))
            }
        case .discarding: discard(&buffer)
        }
        return .needMoreData
    }

    private func discard(_ buffer: inout ByteBuffer) {
        if case .discarding = mode { buffer.moveReaderIndex(to: buffer.writerIndex) }
    }
}

extension NIOHTTPDecoderLimitConfiguration {
    /// Sets the configured limits of a request's target and header.
    init(_ limits: Configuration.Limits) {
        self.init()
        maxHeaderFieldSize = limits.headerBytes
        maxHeaderListSize = limits.headerBytes
    }
}
