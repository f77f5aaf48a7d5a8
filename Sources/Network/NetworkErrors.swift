import CallreelCore
import NIOCore
import NIOPosix
import NIOSSL

/// Describes a network error, in the system's own words if there are any. The text never names a function or a Swift
/// type.
package func networkReason(_ error: any Error) -> String {
    switch error {
    case let error as IOError:
        return systemMessage(error.errnoCode)
    case let error as NIOConnectionError:
        if let first = error.connectionErrors.first { return networkReason(first.error) }
        return "no address found for \(error.host)"
    case SocketAddressError.unknown(let host, _):
        return "no address found for \(host)"
    case ChannelError.connectTimeout(let limit):
        return "no answer within \(Double(limit.nanoseconds) / 1e9) seconds"
    case is ChannelError, is ChannelPipelineError:
        return "the connection is closed"
    case NIOSSLError.handshakeFailed(let reason):
        return "the TLS handshake failed: \(tlsReason(reason))"
    case NIOSSLError.uncleanShutdown:
        return "the TLS connection was cut off"
    case is NIOSSLError, is BoringSSLError:
        return tlsReason(error)
    default:
        return "\(error)"
    }
}

/// Returns BoringSSL's names for the failure, such as `CERTIFICATE_VERIFY_FAILED`; without any, the error's full text.
private func tlsReason(_ error: any Error) -> String {
    let text = "\(error)"
    let names = text.matches(of: /:([A-Z][A-Z0-9_]{3,})\b/).map { String($0.output.1) }
    return names.isEmpty ? text : names.joined(separator: ", ")
}
