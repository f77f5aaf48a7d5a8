import Logging
import NIOCore

// The end of a connection, whoever wants it.
extension WebSocketHandler {
    /// Tells the consumer that nothing follows, and why: what we said goodbye with, if we did.
    func end(_ reason: String) {
        if case .closing(let why) = state { consumer.end(why) } else { consumer.end(reason) }
    }

    /// Says goodbye because the server ends.
    func leave(_ why: String) { sayGoodbye(WebSocketError(.goingAway, why), why: why) }

    /// Says goodbye to a side that did nothing wrong. The call goes on until the carrier has answered, so that nothing that
    /// was on its way is lost.
    func sayGoodbye(_ error: WebSocketError, why: String) {
        switch state {
        case .closing, .failed: return
        case .waiting, .open: break
        }
        if let refusal = error.refusal { onRefusal(refusal) }
        state = .closing(why: why)
        sendClose(error)
        waitForGoodbye(patience: 10)
        context?.read()
    }

    /// Gives the other side time to answer our close frame: longer, a few times, while audio that was on its way still comes.
    private func waitForGoodbye(patience: Int) {
        let before = lastReceived
        setDeadline(WebSocketPolicy.closeLimit) { handler in
            if patience > 0, handler.lastReceived > before {
                handler.waitForGoodbye(patience: patience - 1)
            } else {
                handler.context?.close(promise: nil)
            }
        }
    }

    /// Fails the connection (RFC 6455, section 7.1.7): a close frame that says why, and nothing more from this side. What
    /// the other side has under way is read and thrown away; closing at once would make its system drop our close frame.
    /// - Parameter why: what the manifest says; by default that the call was refused, and why.
    func fail(_ error: WebSocketError, why: String? = nil) {
        if case .failed = state { return }
        if let refusal = error.refusal { onRefusal(refusal) }
        if case .waiting = state {
            consumer.logger.warning("connection refused", metadata: ["code": "\(error.code.rawValue)", "reason": "\(error.reason)"])
        }
        end(why ?? "refused: \(error.reason)")
        guard let context else { return }
        if case .closing = state {
            // Both have said goodbye as well as they could.
            state = .failed
            return context.close(promise: nil)
        }
        state = .failed
        readTimer?.cancel()
        isHeldBack = false
        sendClose(error)
        context.close(mode: .output, promise: nil)
        setDeadline(WebSocketPolicy.closeLimit) { handler in handler.context?.close(promise: nil) }
        context.read()
    }

    private func sendClose(_ error: WebSocketError) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: 128)
        encoder.writeClose(error.code, reason: error.reason, to: &buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    /// Answers the closing handshake of the other side.
    func answer(close code: WebSocketError.Code?, reason: String) {
        let said = reason.isEmpty ? "" : ": \(reason)"
        let with = code == nil || code == .normal ? "" : " with code \(code?.rawValue ?? 0)"
        end("the carrier closed the call\(with)\(said)")
        guard let context else { return }
        if case .closing = state { return context.close(promise: nil) }
        state = .closing(why: "")
        // The answer carries the same code (RFC 6455, section 5.5.1); then this side closes the connection.
        var buffer = context.channel.allocator.buffer(capacity: 8)
        encoder.writeClose(code, to: &buffer)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(buffer)).whenComplete { _ in channel.close(promise: nil) }
        setDeadline(WebSocketPolicy.closeLimit) { handler in handler.context?.close(promise: nil) }
    }
}
