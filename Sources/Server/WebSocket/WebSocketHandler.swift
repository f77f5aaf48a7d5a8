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
final class WebSocketHandler<Consumer: WebSocketConsumer>: ChannelInboundHandler {
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
    private var tickTicket: (clock: ReadClock, ticket: ReadClock.Ticket)?
    /// The socket for the clock's reads past NIO, while the channel is open.
    private var socket: NIOBSDSocket.Handle?
    var deadline: Scheduled<Void>?
    /// Bytes of one second of a live call; nil reads all data as fast as it arrives.
    private var bytesPerSecond: Int?
    /// The reasons not to read the socket now.
    var holds: SocketHolds = [] {
        didSet { if isHeldBack { wasHeldBack = true } }
    }
    var isHeldBack: Bool { !holds.isEmpty }
    var holdEnd: Scheduled<Void>?
    /// Consecutive reads past NIO without a check of other sockets, and a flag for a scheduled further read.
    private var readsInRow = 0
    private var isReadingOn = false
    /// Bytes received since the clock's last read.
    private var bytesSinceTick = 0
    /// Ticks since ``drain()`` was called; nil without a pending drain.
    private var ticksOfDrain: Int?
    /// Reading was paused at some time since the last tick.
    private var wasHeldBack = false
    /// The call arrived no faster than real time in the last whole interval.
    private var wasAtPace = true
    /// The time of the last received data.
    var lastReceived = NIODeadline.distantPast
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
        self.socket = socket
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

    /// True if the clock does the next read: the call is running and arrives no faster than real time.
    ///
    /// Otherwise the socket is read as fast as the sinks accept the data. That holds for a call catching up,
    /// and before and after a call.
    private var isForClock: Bool {
        guard case .open = state else { return false }
        return isAtPace
    }

    /// True if no more data has come since the last tick than a live call sends, with a margin.
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
            // The client sent FIN without a close frame. Without this the channel would stay half open for ever.
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

    // MARK: - The consumer's requests

    /// The channel's event loop.
    var eventLoop: (any EventLoop)? { context?.eventLoop }

    /// The group of calls read in the same turn as this one; nil before the call begins and after its clock stops.
    var readGroup: Int? { tickTicket?.ticket.group }

    /// Begins the consumer's work after the handshake. From here on, the call's length and the client's silence are
    /// limited.
    /// - Parameter bytesPerSecond: the rate of a live call; nil reads data as it arrives, not by the clock.
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

    /// Stops reading by the clock.
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

    /// Reads the data received by now, and tells the consumer when it has all of it.
    ///
    /// A call that catches up has more data on its way than its socket holds.
    /// Its drain therefore ends only when the call arrives no faster than real time.
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

    /// Handles the bytes of one read of the socket.
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

    /// Reads the received data once. If this handler cannot read the socket itself, NIO does, as soon as data arrives.
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

    /// Reads again after the event loop's other queued tasks. The loop checks its other sockets only when it has no
    /// tasks left.
    ///
    /// After 32 such reads NIO does one, so that the other sockets are checked too.
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

    /// Reads the socket, and checks for silence, because a cut connection looks like a silent one.
    private func tick() {
        // NIO does not report an empty socket. A whole interval at no more than real-time speed shows that the drain is
        // complete.
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
