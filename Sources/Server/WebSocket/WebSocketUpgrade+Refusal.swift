import CallreelCore
import CallreelEngine
import NIOHTTP1

extension WebSocketUpgrade {
    /// A refusal of a request for a WebSocket.
    struct Refusal: Error, Sendable {
        let status: HTTPResponseStatus
        /// The reason for the log.
        let reason: String
        /// The reason for the client; nil sends the reason for the log.
        var shown: String?
        /// The reason under which the refusal is counted.
        var kind = RefusalReason.handshake.rawValue
        var headers: HTTPHeaders = [:]
    }
}

extension WebSocketUpgrade.Refusal {
    /// Refuses a call while an obstacle prevents it.
    init(_ obstacle: Readiness.Obstacle) {
        self.init(
            status: .serviceUnavailable, reason: obstacle.reason, shown: obstacle.shownToStrangers,
            kind: obstacle.kind.rawValue,
            headers: ["retry-after": Admission.retryAfter])
    }

    /// Refuses a late request.
    static var timeOut: Self {
        .init(status: .requestTimeout, reason: RefusalReason.handshakeTime.description, kind: .handshakeTime)
    }

    /// Refuses a request without exactly one host (RFC 9112, section 3.2), because a proxy might choose another one.
    static func host(count: Int) -> Self {
        .init(
            status: .badRequest,
            reason: count == 0 ? "the request has no Host header" : "the request has \(count) Host headers")
    }

    /// Refuses a request rejected by NIO's decoder.
    init(_ error: HTTPParserError) {
        switch error {
        case .headerOverflow:
            self.init(status: .requestHeaderFieldsTooLarge, reason: RefusalReason.header.description, kind: .header)
        case .invalidVersion, .paused:
            // NIO's decoder pauses at the preface of HTTP/2 (RFC 9113, section 3.4).
            self.init(status: .httpVersionNotSupported, reason: "the request is not HTTP/1.1", kind: .handshake)
        default:
            self.init(status: .badRequest, reason: "the request is not HTTP: \(error)", kind: .handshake)
        }
    }

    private init(status: HTTPResponseStatus, reason: String, kind: RefusalReason) {
        self.init(status: status, reason: reason, kind: kind.rawValue)
    }
}
