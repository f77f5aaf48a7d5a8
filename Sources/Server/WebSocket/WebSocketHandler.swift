import Logging
import NIOCore
import NIOExtras

/// The door: socket bytes in, frames decoded and handed to a consumer, pings answered, and the closing handshake.
///
/// The socket of a call is read on a clock, not for each frame: one system call then takes many frames. While the consumer has
/// no room it is not read at all, and TCP holds the sender back. Everything here runs on the channel's event loop.
///
/// A call without TLS is read past NIO, which reads what comes before the call and behind its end, and tells when there is more of one
/// that is faster than life.
final class WebSocketHandler<Consumer: WebSocketConsumer>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum State {
        /// The consumer has not begun.
        case waiting
        case open
        /// We have sent a close frame. What was on its way is still taken, until the other side's close frame.
        case closing(why: String)
        /// Both sides have said goodbye, or the other one broke the rules or cannot be served. What it still sends is thrown away.
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
    private var tickTicket: (clock: ReadClock, ticket: ReadClock.Ticket)?
    /// What the clock reads past NIO, as long as the channel is open.
    private var socket: NIOBSDSocket.Handle?
    var deadline: Scheduled<Void>?
    /// Bytes of one second of a live call; nil reads everything as fast as it comes.
    private var bytesPerSecond: Int?
    /// Why the socket is not read.
    var holds: SocketHolds = [] {
        didSet { if isHeldBack { wasHeldBack = true } }
    }
    var isHeldBack: Bool { !holds.isEmpty }
    var holdEnd: Scheduled<Void>?
    /// Reads past NIO without a look at other sockets, and whether another one is to come.
    private var readsInRow = 0
    private var isReadingOn = false
    /// Bytes that have come since the clock last read.
    private var bytesSinceTick = 0
    /// Someone wants to know when everything was read that has come by now; the number of ticks since then.
    private var ticksOfDrain: Int?
    /// Whether the socket was not read at some time since the last tick.
    private var wasHeldBack = false
    /// Whether the call was at the pace of a live one in the last whole interval.
    private var wasAtPace = true
    /// When anything came last.
    var lastReceived = NIODeadline.distantPast
    /// A ping is under way.
    private var isPinged = false

    /// Makes the handler of a new connection.
    /// - Parameters:
    ///   - socket: the channel's, where what comes from it are the bytes of frames and nothing is in between, such as TLS.
    ///   - onRefusal: called when a connection is failed or ended by this side, to be counted.
    init(
        consumer: Consumer, policy: WebSocketPolicy, socket: NIOBSDSocket.Handle? = nil,
        onRefusal: @escaping @Sendable (WebSocketError) -> Void
    ) {
        self.consumer = consumer
        self.policy = policy
        self.socket = socket
        self.onRefusal = onRefusal
        decoder = WebSocketFrameDecoder(role: .server, limits: policy.messages)
        controlFrames = policy.controlFrames
        textMessages = policy.textMessages
    }

    // MARK: - The channel's life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        lastReceived = context.eventLoop.now
        setDeadline(policy.handshakeLimit) { handler in
            let reason = "no handshake message within \(handler.policy.handshakeLimit.text)"
            handler.fail(WebSocketError(.policyViolation, reason, countedAs: .handshakeTime))
        }
        consumer.attach(to: self)
        context.read()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end("the connection was lost")
        stopClock()
        deadline?.cancel()
        holdEnd?.cancel()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        unsafe buffer.withUnsafeReadableBytes { unsafe receive($0, now: context.eventLoop.now) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        consumer.receiveReadEnd(from: self)
        if !isForClock, !isHeldBack { readOn(context) }
    }

    /// Whether the clock is to read next: a running call, unless so much has come since the last tick that this is no live call, or one
    /// that catches up. It is read as fast as the sinks take it, as is what comes before and after the call.
    private var isForClock: Bool {
        guard case .open = state else { return false }
        return isAtPace
    }

    /// Whether no more has come since the last tick than a live call sends: it does not catch up.
    private var isAtPace: Bool {
        guard let bytesPerSecond else { return false }
        let perTick = Double(policy.readInterval.nanoseconds) / 1e9 * Double(bytesPerSecond)
        return Double(bytesSinceTick) <= max(2 * perTick, Double(2 * policy.readSize))
    }

    func channelInactive(context: ChannelHandlerContext) {
        socket = nil
        end("the connection was lost")
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            // A client that sends FIN without a close frame. The channel would stay half open for ever.
            end("the carrier ended the connection without a closing handshake")
            context.close(promise: nil)
        case is ChannelShouldQuiesceEvent:
            leave("the server was shut down")
        case let instruction as WebSocketInstruction:
            switch instruction {
            case .fail(let error): fail(error)
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

    // MARK: - What the consumer asks for

    /// The loop that all of this runs on.
    var eventLoop: (any EventLoop)? { context?.eventLoop }

    /// Which calls are read in one turn with this one; nil before it has begun.
    var readGroup: Int? { tickTicket?.ticket.group }

    /// The handshake is over. From here on the call's length and the other side's silence are watched.
    /// - Parameter bytesPerSecond: what a live call sends, which is then read on the clock; nil reads at once.
    func begin(bytesPerSecond: Int?) {
        guard let context, case .waiting = state else { return }
        state = .open
        self.bytesPerSecond = bytesPerSecond
        setDeadline(policy.lengthLimit) { handler in
            let limit = handler.policy.lengthLimit.text
            handler.sayGoodbye(
                WebSocketError(.policyViolation, "no call may last longer than \(limit)", countedAs: .callLength),
                why: "the call reached the longest time that calls may last, \(limit)")
        }
        let clock = policy.clocks.clock(of: context.eventLoop)
        tickTicket = (clock, clock.add { [unowned self] in tick() })
    }

    /// Reads by the clock no longer.
    func stopClock() {
        if let (clock, ticket) = tickTicket.take() { clock.remove(ticket) }
    }

    /// Sends a whole message.
    func send(_ operation: WebSocketFrameDecoder.Operation, _ payload: [UInt8]) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: payload.count + 10)
        encoder.write(operation, payload, to: &buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    /// Reads what has come by now, and tells the consumer when it has all of it.
    ///
    /// A call that catches up has more on its way than the socket holds: it has all of it only when it is at the pace of a live call.
    func drain() {
        ticksOfDrain = 0
        guard !isHeldBack, let context else { return }
        if socket != nil { read(context) }
    }

    private func endDrain() {
        ticksOfDrain = nil
        consumer.receiveDrained()
    }

    // MARK: - Reading

    /// Takes what a read of the socket gave.
    private func receive(_ bytes: UnsafeRawBufferPointer, now: NIODeadline) {
        bytesSinceTick += bytes.count
        lastReceived = now
        isPinged = false
        if case .ended = state { return }
        controlFrames.refill(now: now)
        textMessages.refill(now: now)
        do throws(WebSocketError) {
            unsafe try decoder.decode(bytes, into: self)
        } catch {
            fail(error)
        }
    }

    /// Reads what has come, once. Where that cannot be done here, NIO does it, as soon as something comes.
    private func read(_ context: ChannelHandlerContext) {
        guard let socket, let (clock, _) = tickTicket else { return context.read() }
        switch unsafe clock.reader.read(socket, { unsafe receive($0, now: context.eventLoop.now) }) {
        case .some:
            readsInRow = 0
            consumer.receiveReadEnd(from: self)
            // The socket is empty.
            if ticksOfDrain != nil, wasAtPace, isAtPace, !isHeldBack, !wasHeldBack { endDrain() }
            if !isForClock, !isHeldBack { context.read() }
        case .full:
            consumer.receiveReadEnd(from: self)
            if !isHeldBack { readOn(context) }
        case .ended: context.read()
        case .failed(let error): errorCaught(context: context, error: error)
        }
    }

    /// Reads again, after what else the event loop has been given to do. It looks at its other sockets only when nothing is left of that,
    /// so that NIO reads now and then.
    private func readOn(_ context: ChannelHandlerContext) {
        if isReadingOn { return }
        guard socket != nil, tickTicket != nil, readsInRow < 32 else {
            readsInRow = 0
            return context.read()
        }
        readsInRow += 1
        isReadingOn = true
        context.eventLoop.assumeIsolated().execute { [self] in
            isReadingOn = false
            if let context = self.context, !isHeldBack { read(context) }
        }
    }

    /// Reads the socket, and looks whether the other side is still there: a connection that was cut somewhere on its way
    /// looks just like a silent one.
    private func tick() {
        // Where NIO reads, nobody says that the socket is empty: but a whole interval at the pace of a live call shows it.
        wasAtPace = isAtPace && !isHeldBack && !wasHeldBack
        if let ticks = ticksOfDrain {
            ticksOfDrain = ticks + 1
            if ticks > 0, wasAtPace { endDrain() }
        }
        bytesSinceTick = 0
        wasHeldBack = isHeldBack
        guard !isHeldBack, let context else { return }
        read(context)
        let silence = context.eventLoop.now - lastReceived
        if silence > policy.idleLimit {
            fail(
                WebSocketError(.policyViolation, "nothing was received for \(policy.idleLimit.text)", countedAs: .idle),
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
