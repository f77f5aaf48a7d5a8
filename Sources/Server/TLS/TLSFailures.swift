import CallreelNetwork
import Logging
import NIOCore
import NIOSSL
import NIOTLS

/// Follows the TLS handler in the pipeline. Closes a connection after a TLS failure, so that no later handler answers
/// there.
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
        guard error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError else {
            return context.fireErrorCaught(error)
        }
        // After the handshake, this is a client that closed without a TLS alert. That is common, so it is not logged.
        if !isEstablished {
            refusals.record(
                RefusalReason.tls.rawValue, as: "TLS failed",
                [
                    "client.address": "\(context.remoteAddress?.ipAddress ?? "unknown")",
                    "reason": "\(networkReason(error))",
                ])
        }
        context.close(promise: nil)
    }
}
