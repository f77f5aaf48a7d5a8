import CallreelCore
import CallreelEngine
import NIOCore
import NIOHTTP1

// Upgrades and refusals. Each waits until all requests before it are answered.
extension HTTPConnection {
    /// Performs the held upgrade or refusal, if all requests before it are answered.
    func settle(_ context: ChannelHandlerContext) {
        guard let next = held, !isFinished, !isResponding, exchanges.count <= (isBroken ? 1 : 0) else { return }
        switch next {
        case .refusal(let refusal): refuse(refusal, after: .zero, context)
        case .upgrade(let head):
            let candidate: CallGuard.Candidate?
            do throws(WebSocketUpgrade.Refusal) {
                if isQuiescing { throw WebSocketUpgrade.Refusal(.init(.draining, "the server is shutting down")) }
                candidate = try roles.admit(head)
            } catch {
                return refuse(error, after: roles.refused(error, head), context)
            }
            isFinished = true
            stop()
            do { try roles.upgrade(self, context, head, candidate) } catch { context.close(promise: nil) }
        }
    }

    /// Refuses the client's last request, once all requests before it are answered.
    func refuseInTurn(
        _ refusal: WebSocketUpgrade.Refusal, head: HTTPRequestHead? = nil, _ context: ChannelHandlerContext
    ) {
        guard !isFinished, held == nil else { return }
        decoder.mode = .discarding
        clock.stop()
        _ = roles.refused(refusal, head)
        // This is the rest of an answered request.
        if isReceiving, exchanges.isEmpty { return context.close(promise: nil) }
        isBroken = isReceiving
        held = .refusal(refusal)
        upgradeHead = nil
        settle(context)
    }

    private func refuse(_ refusal: WebSocketUpgrade.Refusal, after delay: TimeAmount, _ context: ChannelHandlerContext)
    {
        finish()
        guard isWritable else { return context.close(promise: nil) }
        guard delay > .zero else { return write(refusal, context) }
        let both = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: delay) {
            let (connection, context) = both.value
            if context.channel.isActive { connection.write(refusal, context) }
        }
    }

    private func write(_ refusal: WebSocketUpgrade.Refusal, _ context: ChannelHandlerContext) {
        let reason = refusal.shown ?? refusal.reason
        var body = context.channel.allocator.buffer(capacity: reason.utf8.count + 1)
        body.writeString(reason + "\n")
        var headers = refusal.headers
        headers.add(name: "content-type", value: "text/plain; charset=utf-8")
        headers.add(name: "content-length", value: "\(body.readableBytes)")
        headers.add(name: "connection", value: "close")
        let head = HTTPResponseHead(version: .http1_1, status: refusal.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        linger(context, after: context.writeAndFlush(wrapOutboundOut(.end(nil))))
        if isReadHeld { context.read() }
        // The refused request stays incomplete. This error keeps its handlers from taking a part for the whole.
        if isBroken { context.fireErrorCaught(ChannelError.eof) }
    }
}
