import CallreelNetwork
import CallreelWebSocket
import Logging
import NIOCore
import NIOExtras

/// Handles the socket of one WebSocket: decodes frames, passes messages to a consumer, answers pings, and performs the
/// closing handshake.
///
/// A call's socket is read by a clock and not for each frame, so that one system call reads many frames.
/// While the consumer has no room, the socket is not read, and TCP slows the sender down.
/// Everything here runs on the channel's event loop.
///
/// A call without TLS is read past NIO. NIO reads the data before and after the call.
/// NIO also reports when more data has come for a call that arrives faster than real time.
final class WebSocketHandler<Consumer: WebSocketConsumer>: ChannelInboundHandler, SocketSource.Connection {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum State {
        /// The consumer has not begun.
        case waiting
        case open
        /// This side has sent a close frame. Data is still accepted until the client's close frame.
        case closing(why: String)
        /// Both sides have closed, or this side has failed the connection. Further data is discarded.
        case ended
    }

    let consumer: Consumer
    let policy: WebSocketPolicy
    let onRefusal: @Sendable (WebSocketError) -> Void
    private var decoder: WebSocketFrameDecoder
    let encoder = WebSocketFrameEncoder(role: .server)
    var controlFrames: FrameBudget
    var textMessages: FrameBudget
    var state = State.waiting
    var context: ChannelHandlerContext?
    var reader: CallReader
    var deadline: Scheduled<Void>?
    var holdEnd: Scheduled<Void>?
    /// The time of the last received data.
    var lastReceived = NIODeadline.distantPast
    /// The time of the consumer's next tick.
    private var nextSecond = NIODeadline.distantPast
    /// A ping has been sent, and no data has been received since.
    private var isPinged = false

    /// Makes the handler of a new connection.
    /// - Parameters:
    ///   - socket: the channel's socket, if its bytes are plain frames; nil if a layer such as TLS is in between.
    ///   - onRefusal: called to count each refused connection.
    init(
        consumer: Consumer, policy: WebSocketPolicy, socket: NIOBSDSocket.Handle? = nil,
        onRefusal: @escaping @Sendable (WebSocketError) -> Void
    ) {
        self.consumer = consumer
        self.policy = policy
        reader = CallReader(socket: socket, policy: policy)
        self.onRefusal = onRefusal
        decoder = WebSocketFrameDecoder(role: .server, limits: policy.messages)
        controlFrames = policy.controlFrames
        textMessages = policy.textMessages
    }

    // MARK: - The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        lastReceived = context.eventLoop.now
        setDeadline(policy.handshakeLimit) { handler in
            let reason = "no handshake message within \(handler.policy.handshakeLimit.text)"
            handler.fail(WebSocketError(.policyViolation, reason, countedAs: .handshakeTime))
        }
        follow(consumer.attach(to: SocketSource(self, eventLoop: context.eventLoop)))
        context.read()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end("the connection was lost")
        reader.stopClock()
        deadline?.cancel()
        holdEnd?.cancel()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        unsafe buffer.withUnsafeReadableBytes { unsafe receive($0, now: context.eventLoop.now) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        endRead(context)
        if !isForClock, !reader.isHeldBack { readOn(context) }
    }

    /// True if the clock does the next read: the call is running and arrives no faster than real time.
    ///
    /// Otherwise the socket is read as fast as the sinks accept the data. That holds for a call catching up,
    /// and before and after a call.
    private var isForClock: Bool {
        guard case .open = state else { return false }
        return reader.isAtPace
    }

    func channelInactive(context: ChannelHandlerContext) {
        reader.close()
        end("the connection was lost")
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            // The client sent FIN without a close frame. Without this the channel would stay half open for ever.
            end("the carrier ended the connection without a closing handshake")
            context.close(promise: nil)
        case is ChannelShouldQuiesceEvent:
            leave("the server was shut down")
        case let instruction as WebSocketInstruction:
            switch instruction {
            case .leave(let reason): leave(reason)
            case .lost(let reason): end(reason)
            }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end("the connection failed: \(networkReason(error))")
        context.close(promise: nil)
    }

    // MARK: - The consumer's requests

    /// Begins the consumer's work after the handshake.
    func begin(_ pace: WebSocketFlow.Pace) {
        guard let context else { return }
        // A message that has crossed this side's close frame begins a call of the audio that follows it.
        if case .closing = state { return consumer.begin(group: nil) }
        guard case .waiting = state else { return }
        state = .open
        setDeadline(policy.lengthLimit) { handler in
            let limit = handler.policy.lengthLimit.text
            handler.sayGoodbye(
                WebSocketError(.policyViolation, "no call may last longer than \(limit)", countedAs: .callLength),
                why: "the call reached the longest time allowed, \(limit)")
        }
        let clock = policy.clocks.clock(of: context.eventLoop)
        consumer.begin(group: reader.begin(pace, on: clock) { [unowned self] in tick() })
    }

    /// Sends a whole message.
    func send(_ operation: WebSocketFrameDecoder.Operation, _ payload: [UInt8]) {
        if let context { write(encoder.frame(operation, payload), context) }
    }

    /// Sends a frame.
    func write(_ frame: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: frame)), promise: nil)
    }

    /// Reads the data received by now, and tells the consumer when it has all of it.
    ///
    /// A call that catches up has more data on its way than its socket holds.
    /// Its drain therefore ends only when the call arrives no faster than real time.
    func drain() {
        reader.beginDrain()
        guard !reader.isHeldBack, let context else { return }
        if reader.direct != nil { read(context) }
    }

    // MARK: - Reading

    /// Handles the bytes of one read of the socket.
    private func receive(_ bytes: UnsafeRawBufferPointer, now: NIODeadline) {
        reader.received(bytes.count)
        lastReceived = now
        isPinged = false
        if case .ended = state { return }
        controlFrames.refill(now: now)
        textMessages.refill(now: now)
        do throws(WebSocketError) {
            unsafe try decode(bytes, with: &decoder)
        } catch {
            fail(error)
        }
    }

    /// Decodes and handles the bytes of one read. The whole read is one access to the decoder, so nothing here may use
    /// the handler's own.
    private func decode(
        _ bytes: UnsafeRawBufferPointer, with decoder: inout WebSocketFrameDecoder
    ) throws(WebSocketError) {
        var offset = 0
        while let event = unsafe try decoder.next(in: bytes, from: &offset) { try handle(event) }
    }

    /// Tells the consumer that a read has ended.
    private func endRead(_ context: ChannelHandlerContext) {
        follow(consumer.receiveReadEnd(now: context.eventLoop.now))
    }

    /// Reads the received data once. If this handler cannot read the socket itself, NIO does, as soon as data arrives.
    private func read(_ context: ChannelHandlerContext) {
        guard let (socket, direct) = reader.direct else { return context.read() }
        switch unsafe direct.read(socket, { unsafe receive($0, now: context.eventLoop.now) }) {
        case .some:
            endRead(context)
            if reader.foundEmpty() { consumer.receiveDrained() }
            if !isForClock, !reader.isHeldBack { context.read() }
        case .full:
            endRead(context)
            if !reader.isHeldBack { readOn(context) }
        case .ended: context.read()
        case .failed(let error): errorCaught(context: context, error: error)
        }
    }

    /// Reads again after the event loop's other queued tasks. The loop checks its other sockets only when it has no
    /// tasks left.
    private func readOn(_ context: ChannelHandlerContext) {
        switch reader.further() {
        case .scheduled: break
        case .byNIO: context.read()
        case .direct:
            context.eventLoop.assumeIsolated().execute { [self] in
                reader.readOn()
                if let context = self.context, !reader.isHeldBack { read(context) }
            }
        }
    }

    /// Reads the socket, and checks for silence, because a cut connection looks like a silent one.
    private func tick() {
        if let now = context?.eventLoop.now, now >= nextSecond {
            nextSecond = now + .seconds(1)
            follow(consumer.tick())
        }
        if reader.tick() { consumer.receiveDrained() }
        guard !reader.isHeldBack, let context else { return }
        read(context)
        let silence = context.eventLoop.now - lastReceived
        if silence > policy.idleLimit {
            fail(
                WebSocketError(.policyViolation, "no data was received for \(policy.idleLimit.text)", countedAs: .idle),
                why: "the connection fell silent for \(policy.idleLimit.text)")
        } else if silence > policy.pingInterval, !isPinged, case .open = state {
            isPinged = true
            send(.ping, [])
        }
    }

    func setDeadline(_ limit: TimeAmount, _ action: @escaping @Sendable (WebSocketHandler) -> Void) {
        deadline?.cancel()
        guard let context else { return }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: limit) { action(handler.value) }
    }
}
