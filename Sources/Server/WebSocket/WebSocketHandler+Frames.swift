import CallreelWebSocket
import NIOCore

// Handles decoded frames: messages go to the consumer, and control frames are handled here.
extension WebSocketHandler {
    func handle(_ event: consuming WebSocketEvent) throws(WebSocketError) {
        switch consume event {
        case .binary(let piece, let isLast):
            try consumer.receive(binary: piece)
            if isLast { follow(try consumer.receiveBinaryEnd()) }
        case .text(let text):
            guard textMessages.take() else {
                throw WebSocketError(.policyViolation, "too many text messages", countedAs: .textFlood)
            }
            follow(try consumer.receive(text: text))
        case .ping(let payload):
            try countControlFrame()
            answer(ping: payload)
        case .pong: try countControlFrame()
        case .close(let code, let reason): answer(close: code, reason: reason)
        }
    }

    private func answer(ping payload: [UInt8]) {
        // Only the last of several pings needs an answer (RFC 6455, section 5.5.3). A client that does not read gets
        // none.
        guard let context, context.channel.isWritable else { return }
        if case .closing = state { return }
        send(.pong, payload)
    }

    private func countControlFrame() throws(WebSocketError) {
        guard controlFrames.take() else {
            throw WebSocketError(.policyViolation, "too many control frames", countedAs: .controlFlood)
        }
    }

    /// Does what a consumer's answer asks for.
    func follow(_ flow: WebSocketFlow) {
        if let pace = flow.begin { begin(pace) }
        if flow.isFull { holdBack() }
        if let pause = flow.pause { holdBack(for: pause) }
        for reply in flow.replies { send(reply.operation, reply.payload) }
        if let reason = flow.close { sayGoodbye(WebSocketError(.normal, ""), why: reason) }
    }
}
