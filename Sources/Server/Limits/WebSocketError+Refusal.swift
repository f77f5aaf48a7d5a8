import CallreelWebSocket

extension WebSocketError {
    /// Makes an error that is counted under a reason of its own.
    init(_ code: Code, _ reason: String, countedAs refusal: RefusalReason) {
        self.init(code, reason, countedAs: refusal.rawValue)
    }

    /// The reason under which the closing is counted; nil if the client was not refused.
    var refusal: RefusalReason? {
        if let countedAs { return RefusalReason(rawValue: countedAs) }
        return switch code {
        case .normal, .goingAway, .internalError: nil
        case .tooBig: .message
        default: .protocolError
        }
    }
}
