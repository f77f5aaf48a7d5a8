import Logging
import NIOCore
import NIOSSL
import NIOTLS

/// Stands behind the TLS handler and ends connections on which TLS fails, so that nobody answers in it.
final class TLSFailures: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let refusals: Refusals
    private var isEstablished = false

    init(refusals: Refusals) { self.refusals = refusals }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event { isEstablished = true }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError else { return context.fireErrorCaught(error) }
        // After the handshake it is a client that went away without saying so, which happens all day.
        if !isEstablished {
            refusals.record(
                RefusalReason.tls.rawValue, as: "TLS failed",
                ["client.address": "\(context.remoteAddress?.ipAddress ?? "unknown")", "reason": "\(networkReason(error))"])
        }
        context.close(promise: nil)
    }
}
