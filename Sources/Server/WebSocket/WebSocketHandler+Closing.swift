import CallreelWebSocket
import Logging
import NIOCore

// The end of a connection, from either side.
extension WebSocketHandler {
    /// Tells the consumer that the connection has ended, and why. If this side sent a close frame first,
    /// its reason is used instead.
    func end(_ reason: String) {
        if case .closing(let why) = state { consumer.end(why) } else { consumer.end(reason) }
    }

    /// Sends a close frame because the server is shutting down.
    func leave(_ why: String) { sayGoodbye(WebSocketError(.goingAway, why), why: why) }

    /// Sends a close frame to a well-behaved client.
    ///
    /// The call continues until the carrier has answered, so that audio already on its way is not lost.
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

    /// Waits for the answer to the close frame. Extends the time, up to `patience` times, while data still arrives.
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

    /// Fails the connection (RFC 6455, section 7.1.7): sends a close frame with the reason, and nothing after it.
    /// - Parameter why: the reason in the manifest; nil writes "refused:" and the error's reason.
    func fail(_ error: WebSocketError, why: String? = nil) {
        if case .ended = state { return }
        if error.refusal != nil { onRefusal(error) }
        end(why ?? "refused: \(error.reason)")
        guard let context else { return }
        if case .closing = state {
            // A close frame was already sent, so no second one follows.
            state = .ended
            return context.close(promise: nil)
        }
        sendClose(error)
        hangUp(context)
    }

    /// Closes the sending side after the close frame. Discards the client's data until the client closes too.
    ///
    /// Closing both sides at once would make the client's system drop the close frame (RFC 6455, section 7.1.1).
    private func hangUp(_ context: ChannelHandlerContext) {
        state = .ended
        reader.stopClock()
        releaseHolds()
        context.close(mode: .output, promise: nil)
        setDeadline(WebSocketPolicy.closeLimit) { handler in handler.context?.close(promise: nil) }
        context.read()
    }

    private func sendClose(_ error: WebSocketError) {
        guard let context else { return }
        write(encoder.closeFrame(error.code, reason: error.reason), context)
    }

    /// Answers the client's close frame.
    func answer(close code: WebSocketError.Code?, reason: String) {
        let said = reason.isEmpty ? "" : ": \(reason)"
        let with = code == nil || code == .normal ? "" : " with code \(code?.rawValue ?? 0)"
        end("the carrier closed the call\(with)\(said)")
        guard let context else { return }
        if case .closing = state { return context.close(promise: nil) }
        // The answer carries the same code (RFC 6455, section 5.5.1). Then this side closes its sending side.
        write(encoder.closeFrame(code), context)
        hangUp(context)
    }
}
