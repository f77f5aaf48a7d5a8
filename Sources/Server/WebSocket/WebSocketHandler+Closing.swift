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
        case .closing, .ended: return
        case .waiting, .open: break
        }
        if error.refusal != nil { onRefusal(error) }
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

    /// Fails the connection (RFC 6455, section 7.1.7): a close frame that says why, and nothing more from this side.
    /// - Parameter why: what the manifest says; by default that the call was refused, and why.
    func fail(_ error: WebSocketError, why: String? = nil) {
        if case .ended = state { return }
        if error.refusal != nil { onRefusal(error) }
        end(why ?? "refused: \(error.reason)")
        guard let context else { return }
        if case .closing = state {
            // Both have said goodbye as well as they could.
            state = .ended
            return context.close(promise: nil)
        }
        sendClose(error)
        hangUp(context)
    }

    /// Ends the connection behind our close frame. What the other side still sends is read and thrown away until it ends the
    /// connection too: closing at once would make its system drop that frame (RFC 6455, section 7.1.1).
    private func hangUp(_ context: ChannelHandlerContext) {
        state = .ended
        stopClock()
        releaseHolds()
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
        // The answer carries the same code (RFC 6455, section 5.5.1); then this side ends the connection.
        var buffer = context.channel.allocator.buffer(capacity: 8)
        encoder.writeClose(code, to: &buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        hangUp(context)
    }
}
