import CallreelCore
import Logging
import NIOCore

/// Handles the messages of one call: its handshake message, audio and events. It owns the call's session.
final class CallConsumer: WebSocketConsumer {
    private let recorder: Recorder
    private let started: EventLoopPromise<CallSession?>
    private(set) var logger: Logger
    private var dialect: any CarrierDialect
    private var session: CallSession?
    private var assembler = LinearPCMAssembler(format: AudioFormat(sampleRate: 8000))
    private let aheadLimit: TimeAmount?
    /// The call's start time, its samples per second, and the samples received so far.
    private var began = NIODeadline.distantPast
    private var samplesPerSecond = 1
    private var samplesReceived = 0
    private var wasAhead = false

    /// Makes the consumer of a new connection.
    /// - Parameters:
    ///   - aheadLimit: limit of audio ahead of the clock; nil sets none.
    ///   - started: receives the session when the call begins, or nil if the connection ends earlier.
    init(
        recorder: Recorder, dialect: any CarrierDialect, aheadLimit: TimeAmount? = nil,
        started: EventLoopPromise<CallSession?>, logger: Logger
    ) {
        self.recorder = recorder
        self.aheadLimit = aheadLimit
        self.dialect = dialect
        self.started = started
        self.logger = logger
    }

    func attach(to socket: WebSocketHandler<CallConsumer>) {}

    func receive(binary piece: borrowing MaskedBytes) throws(WebSocketError) {
        // The dialect checks audio only until the call begins.
        if session == nil, let refusal = dialect.refusesAudio() { throw refusal }
        unsafe assembler.append(byteCount: piece.count) { unsafe piece.unmask(into: $0) }
    }

    func receiveBinaryEnd(from socket: WebSocketHandler<CallConsumer>) throws(WebSocketError) {
        // An empty binary message has no audio, but before the handshake message it is refused too.
        if session == nil, let refusal = dialect.refusesAudio() { throw refusal }
    }

    func receive(text: [UInt8], from socket: WebSocketHandler<CallConsumer>) throws(WebSocketError) {
        // Audio received before this message must be delivered before it.
        receiveReadEnd(from: socket)
        switch try dialect.understand(text: text) {
        case .started(let facts, let format): begin(facts, format, on: socket)
        case .audio(let bytes): unsafe assembler.append(bytes.span.bytes)
        case .event(let type, let data): session?.note(type, data: data)
        case .malformed(let reason): session?.noteMalformed(reason)
        }
    }

    func receiveReadEnd(from socket: WebSocketHandler<CallConsumer>) {
        if !deliver() { socket.holdBack() }
        holdBackToTime(socket)
    }

    /// Slows a call too far ahead of the clock to the speed of real time. Otherwise a client could fill the
    /// disk with fast audio.
    private func holdBackToTime(_ socket: WebSocketHandler<CallConsumer>) {
        guard let aheadLimit, session != nil, let now = socket.eventLoop?.now else { return }
        let received = TimeAmount.of(seconds: Double(samplesReceived) / Double(samplesPerSecond))
        let ahead = received - (now - began) - aheadLimit
        guard ahead > .zero else { return }
        if !wasAhead {
            logger.warning(
                "call ahead of time, read at the pace of time", metadata: ["ahead.limit": "\(aheadLimit.text)"])
        }
        wasAhead = true
        socket.holdBack(for: max(ahead, .milliseconds(20)))
    }

    func receiveDrained() { session?.noteDrained() }

    func end(_ reason: String) {
        guard let session else { return started.succeed(nil) }
        // Audio received so far still belongs to the recording.
        _ = deliver()
        session.end(reason, leftoverBytes: assembler.leftoverByteCount)
    }

    /// Delivers the audio so far to the sinks. Returns false if they have no room for more.
    private func deliver() -> Bool {
        guard let session, let samples = assembler.takeSamples() else { return true }
        samplesReceived += samples.count
        return session.receive(samples)
    }

    private func begin(_ facts: CallFacts, _ format: AudioFormat, on socket: WebSocketHandler<CallConsumer>) {
        guard session == nil, let eventLoop = socket.eventLoop else { return }
        socket.begin(bytesPerSecond: format.sampleRate * format.bytesPerFrame)
        let door = NIOLoopBound(Door(socket: socket), eventLoop: eventLoop)
        let session = recorder.startCall(
            facts, format: format, group: socket.readGroup,
            onRoom: { eventLoop.execute { door.value.socket?.resume() } },
            onStop: { reason in
                // A sink's failure ends the call. The carrier is not told the details.
                let error = WebSocketError(.internalError, "the call cannot be recorded as it must be")
                eventLoop.execute { door.value.socket?.fail(error, why: reason) }
            },
            onDrain: { eventLoop.execute { door.value.socket?.drain() } })
        logger = session.logger
        assembler = LinearPCMAssembler(format: format)
        began = eventLoop.now
        samplesPerSecond = format.sampleRate * format.channels
        self.session = session
        started.succeed(session)
    }
    /// A weak reference to the call's socket for its session. The socket owns this consumer, and the consumer owns the
    /// session.
    private struct Door {
        weak var socket: WebSocketHandler<CallConsumer>?
    }
}
