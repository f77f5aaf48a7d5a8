import CallreelCore
import Logging
import NIOCore
import NIOExtras

/// The door of one call: socket bytes in, frames decoded, audio to the session, and the closing handshake.
///
/// The socket is read on a clock, not for each frame: one system call then takes many frames. While the sinks have no
/// room it is not read at all, and TCP holds the sender back. Everything here runs on the channel's event loop.
final class CallHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long a client may take to send its handshake message.
    static let handshakeLimit = TimeAmount.seconds(10)
    /// How long a client may take to answer a close frame.
    static let closeLimit = TimeAmount.seconds(2)
    /// Bytes of one read: more than two seconds of 8 kHz audio.
    static let readSize = 1 << 14

    /// What the handler is told from outside, through its channel's pipeline.
    enum Instruction: Sendable {
        /// Recording is impossible.
        case fail(String)
        /// Say goodbye now, whatever time there was left.
        case leave(String)
    }

    /// The times that decide about a connection.
    struct Timing: Sendable {
        /// Between two reads of a running call's socket.
        let readInterval: TimeAmount
        /// Without anything received, until the other side is asked for a sign of life.
        let pingInterval: TimeAmount
        /// Without anything received, not even an answer to pings, until the connection is given up.
        let idleLimit: TimeAmount
    }

    private enum State {
        /// Waiting for the message that says what the audio is.
        case waiting
        case recording
        /// We have sent a close frame. Audio that was on its way is still taken, until the other side's close frame.
        case closing(why: String)
        /// The other side broke the rules, or cannot be served. What it still sends is thrown away.
        case failed
    }

    private let recorder: Recorder
    private let timing: Timing
    private let started: EventLoopPromise<CallSession?>
    private var logger: Logger
    private var decoder = WebSocketFrameDecoder(role: .server)
    private let encoder = WebSocketFrameEncoder(role: .server)
    private var dialect: any CarrierDialect
    private var state = State.waiting
    private var session: CallSession?
    private var assembler = LinearPCMAssembler(format: AudioFormat(sampleRate: 8000))
    private var context: ChannelHandlerContext?
    private var readTimer: RepeatedTask?
    private var deadline: Scheduled<Void>?
    /// The sinks have no room: the socket is not read.
    private var isHeldBack = false
    /// Bytes that have come since the clock last read.
    private var bytesSinceTick = 0
    /// When anything came last.
    private var lastReceived = NIODeadline.distantPast
    /// A ping is under way.
    private var isPinged = false

    /// Makes the handler of a new connection.
    /// - Parameter started: gets the session when the call begins, or nil when it ends before.
    init(
        recorder: Recorder, dialect: any CarrierDialect, timing: Timing, started: EventLoopPromise<CallSession?>, logger: Logger
    ) {
        self.recorder = recorder
        self.dialect = dialect
        self.timing = timing
        self.started = started
        self.logger = logger
    }

    // MARK: - The channel's life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        lastReceived = context.eventLoop.now
        setDeadline(Self.handshakeLimit) { handler in
            handler.fail(WebSocketError(.policyViolation, "no handshake message within \(Self.handshakeLimit.nanoseconds / 1_000_000_000) seconds"))
        }
        context.read()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end("the connection was lost")
        readTimer?.cancel()
        deadline?.cancel()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        bytesSinceTick += buffer.readableBytes
        lastReceived = context.eventLoop.now
        isPinged = false
        if case .failed = state { return }
        do throws(WebSocketError) {
            try decode(buffer)
        } catch {
            fail(error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        deliver()
        // The clock reads a running call; before and after it we go on at once.
        if case .recording = state, !isFasterThanLife { return }
        if !isHeldBack { context.read() }
    }

    /// Whether so much has come since the last tick that this is no live call, or one that catches up: it is read as
    /// fast as the sinks take it.
    private var isFasterThanLife: Bool {
        let perTick = Double(timing.readInterval.nanoseconds) / 1e9 * Double(assembler.format.sampleRate * assembler.format.bytesPerFrame)
        return Double(bytesSinceTick) > max(2 * perTick, Double(Self.readSize))
    }

    func channelInactive(context: ChannelHandlerContext) {
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
        case let instruction as Instruction:
            switch instruction {
            case .fail(let reason): fail(WebSocketError(.internalError, reason))
            case .leave(let reason): leave(reason)
            }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end("the connection failed: \(error)")
        context.close(promise: nil)
    }

    // MARK: - Reading

    private func decode(_ buffer: ByteBuffer) throws(WebSocketError) {
        let outcome: Result<Void, WebSocketError> = unsafe buffer.withUnsafeReadableBytes { bytes in
            do throws(WebSocketError) {
                return .success(unsafe try decoder.decode(bytes, into: self))
            } catch {
                return .failure(error)
            }
        }
        try outcome.get()
    }

    /// Hands the audio so far to the sinks.
    private func deliver() {
        guard let session, let samples = assembler.takeSamples() else { return }
        if !session.receive(samples) { isHeldBack = true }
    }

    /// There is room again: reading goes on.
    private func resume() {
        guard isHeldBack else { return }
        isHeldBack = false
        // The time in which nothing was read says nothing about the other side.
        lastReceived = context?.eventLoop.now ?? .now()
        context?.read()
    }

    /// A sink's failure ends the call. What it was is nothing to the other side.
    private func stop(_ reason: String) {
        fail(WebSocketError(.internalError, "the call cannot be recorded as it must be"), why: reason)
    }

    /// Begins to read on the clock. Calls are spread over the interval, so that they do not all wake at once.
    private func startReadTimer(_ context: ChannelHandlerContext) {
        let first = TimeAmount.nanoseconds(.random(in: 0...timing.readInterval.nanoseconds))
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        readTimer = context.eventLoop.scheduleRepeatedTask(initialDelay: first, delay: timing.readInterval) { _ in
            handler.value.tick()
        }
    }

    /// Reads the socket, and looks whether the other side is still there: a connection that was cut somewhere on its way
    /// looks just like a silent one.
    private func tick() {
        bytesSinceTick = 0
        guard !isHeldBack, let context else { return }
        context.read()
        let silence = context.eventLoop.now - lastReceived
        if silence > timing.idleLimit {
            let seconds = timing.idleLimit.nanoseconds / 1_000_000_000
            fail(WebSocketError(.policyViolation, "nothing was received for \(seconds) seconds"), why: "the connection fell silent for \(seconds) s")
        } else if silence > timing.pingInterval, !isPinged, case .recording = state {
            isPinged = true
            var buffer = context.channel.allocator.buffer(capacity: 2)
            encoder.write(.ping, [], to: &buffer)
            context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        }
    }

    private func setDeadline(_ limit: TimeAmount, _ action: @escaping @Sendable (CallHandler) -> Void) {
        deadline?.cancel()
        guard let context else { return }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: limit) { action(handler.value) }
    }

    // MARK: - Beginning and ending

    private func begin(_ facts: CallFacts, _ format: AudioFormat) {
        guard let context else { return }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop), eventLoop = context.eventLoop
        let session = recorder.startCall(
            facts, format: format, onRoom: { eventLoop.execute { handler.value.resume() } },
            onStop: { reason in eventLoop.execute { handler.value.stop(reason) } })
        logger = session.logger
        assembler = LinearPCMAssembler(format: format)
        self.session = session
        state = .recording
        deadline?.cancel()
        startReadTimer(context)
        started.succeed(session)
    }

    /// Ends the recording, if one runs. Audio that has arrived is in it.
    private func end(_ reason: String) {
        if let session {
            deliver()
            if case .closing(let why) = state {
                session.end(why, leftoverBytes: assembler.leftoverByteCount)
            } else {
                session.end(reason, leftoverBytes: assembler.leftoverByteCount)
            }
        } else {
            started.succeed(nil)
        }
    }

    /// Says goodbye because the server stops. The call goes on until the carrier has answered, so that nothing that was
    /// on its way is lost.
    private func leave(_ why: String) {
        switch state {
        case .closing, .failed: return
        case .waiting, .recording: break
        }
        state = .closing(why: why)
        guard let context else { return }
        sendClose(.goingAway, why, context)
        waitForGoodbye(patience: 10)
        context.read()
    }

    /// Gives the other side time to answer our close frame: longer, a few times, while audio that was on its way still comes.
    private func waitForGoodbye(patience: Int) {
        let before = lastReceived
        setDeadline(Self.closeLimit) { handler in
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
    private func fail(_ error: WebSocketError, why: String? = nil) {
        if session == nil {
            logger.warning("connection refused", metadata: ["code": "\(error.code.rawValue)", "reason": "\(error.reason)"])
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
        sendClose(error.code, error.reason, context)
        context.close(mode: .output, promise: nil)
        setDeadline(Self.closeLimit) { handler in handler.context?.close(promise: nil) }
        context.read()
    }

    private func sendClose(_ code: WebSocketError.Code?, _ reason: String, _ context: ChannelHandlerContext) {
        var buffer = context.channel.allocator.buffer(capacity: 128)
        encoder.writeClose(code, reason: reason, to: &buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }
}

extension CallHandler: WebSocketReceiver {
    func receive(binary piece: borrowing MaskedBytes) throws(WebSocketError) {
        if let refusal = dialect.refusesAudio() { throw refusal }
        unsafe assembler.append(byteCount: piece.count) { unsafe piece.unmask(into: $0) }
    }

    func receiveBinaryEnd() throws(WebSocketError) {
        // An empty binary message says nothing, but it is still audio before the handshake.
        if let refusal = dialect.refusesAudio() { throw refusal }
    }

    func receive(text: [UInt8]) throws(WebSocketError) {
        // What was said is placed after the audio that came before it.
        deliver()
        switch try dialect.understand(text: text) {
        case .started(let facts, let format):
            if case .waiting = state { begin(facts, format) }
        case .audio(let bytes): unsafe assembler.append(bytes.span.bytes)
        case .event(let type, let data): session?.note(type, data: data)
        case .malformed(let reason): session?.noteMalformed(reason)
        }
    }

    func receive(ping payload: [UInt8]) {
        // Only the last of several pings needs an answer (RFC 6455, section 5.5.3), and a client that does not read gets none.
        guard let context, context.channel.isWritable else { return }
        if case .closing = state { return }
        var buffer = context.channel.allocator.buffer(capacity: payload.count + 2)
        encoder.write(.pong, payload, to: &buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func receive(pong payload: [UInt8]) {}

    func receive(close code: WebSocketError.Code?, reason: String) {
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
        setDeadline(Self.closeLimit) { handler in handler.context?.close(promise: nil) }
    }
}
