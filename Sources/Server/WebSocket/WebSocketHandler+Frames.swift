import NIOCore

// Handles decoded frames: messages go to the consumer, and control frames are handled here.
extension WebSocketHandler: WebSocketReceiver {
    func receive(binary piece: borrowing MaskedBytes) throws(WebSocketError) { try consumer.receive(binary: piece) }

    func receiveBinaryEnd() throws(WebSocketError) { try consumer.receiveBinaryEnd(from: self) }

    func receive(text: [UInt8]) throws(WebSocketError) {
        guard textMessages.take() else {
            throw WebSocketError(.policyViolation, "too many text messages", countedAs: .textFlood)
        }
        try consumer.receive(text: text, from: self)
    }

    func receive(ping payload: [UInt8]) throws(WebSocketError) {
        try countControlFrame()
        // Only the last of several pings needs an answer (RFC 6455, section 5.5.3). A client that does not read gets
        // none.
        guard let context, context.channel.isWritable else { return }
        if case .closing = state { return }
        send(.pong, payload)
    }

    func receive(pong payload: [UInt8]) throws(WebSocketError) { try countControlFrame() }

    private func countControlFrame() throws(WebSocketError) {
        guard controlFrames.take() else {
            throw WebSocketError(.policyViolation, "too many control frames", countedAs: .controlFlood)
        }
    }

    func receive(close code: WebSocketError.Code?, reason: String) { answer(close: code, reason: reason) }
}
