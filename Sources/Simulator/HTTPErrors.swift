import AsyncHTTPClient
import CallreelNetwork

/// Describes an error of an HTTP request.
func reason(of error: any Error) -> String {
    guard let error = error as? HTTPClientError else { return networkReason(error) }
    return switch error {
    case .deadlineExceeded, .readTimeout, .writeTimeout, .connectTimeout, .tlsHandshakeTimeout: "no answer in time"
    case .remoteConnectionClosed: "the server closed the connection without an answer"
    default: error.shortDescription
    }
}
