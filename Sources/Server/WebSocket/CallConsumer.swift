import CallreelCore
import Logging
import NIOCore

/// The messages of one call: its handshake, its audio, its events. It owns the session from the first to the last.
final class CallConsumer: WebSocketConsumer {
    private let recorder: Recorder
    private let started: EventLoopPromise<CallSession?>
    private(set) var logger: Logger
    private var dialect: any CarrierDialect
    private var session: CallSession?
    private var assembler = LinearPCMAssembler(format: AudioFormat(sampleRate: 8000))

    /// Makes the consumer of a new connection.
    /// - Parameter started: gets the session when the call begins, or nil when it ends before.
    init(recorder: Recorder, dialect: any CarrierDialect, started: EventLoopPromise<CallSession?>, logger: Logger) {
        self.recorder = recorder
        self.dialect = dialect
        self.started = started
        self.logger = logger
    }

    func attach(to socket: WebSocketHandler<CallConsumer>) {}

    func receive(binary piece: borrowing MaskedBytes) throws(WebSocketError) {
        // Once the call has begun, its audio is nothing to the dialect.
        if session == nil, let refusal = dialect.refusesAudio() { throw refusal }
        unsafe assembler.append(byteCount: piece.count) { unsafe piece.unmask(into: $0) }
    }

    func receiveBinaryEnd(from socket: WebSocketHandler<CallConsumer>) throws(WebSocketError) {
        // An empty binary message says nothing, but it is still audio before the handshake.
        if session == nil, let refusal = dialect.refusesAudio() { throw refusal }
    }

    func receive(text: [UInt8], from socket: WebSocketHandler<CallConsumer>) throws(WebSocketError) {
        // What was said is placed after the audio that came before it.
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
    }

    func receiveDrained() { session?.noteDrained() }

    func end(_ reason: String) {
        guard let session else { return started.succeed(nil) }
        // Audio that has arrived is in the recording.
        _ = deliver()
        session.end(reason, leftoverBytes: assembler.leftoverByteCount)
    }

    /// Hands the audio so far to the sinks. Returns false when they have no room for more.
    private func deliver() -> Bool {
        guard let session, let samples = assembler.takeSamples() else { return true }
        return session.receive(samples)
    }

    private func begin(_ facts: CallFacts, _ format: AudioFormat, on socket: WebSocketHandler<CallConsumer>) {
        guard session == nil, let eventLoop = socket.eventLoop else { return }
        socket.begin(bytesPerSecond: format.sampleRate * format.bytesPerFrame)
        let door = NIOLoopBound(Door(socket: socket), eventLoop: eventLoop)
        let session = recorder.startCall(
            facts, format: format, group: socket.readGroup, onRoom: { eventLoop.execute { door.value.socket?.resume() } },
            onStop: { reason in
                // A sink's failure ends the call. What it was is nothing to the other side.
                let error = WebSocketError(.internalError, "the call cannot be recorded as it must be")
                eventLoop.execute { door.value.socket?.fail(error, why: reason) }
            },
            onDrain: { eventLoop.execute { door.value.socket?.drain() } })
        logger = session.logger
        assembler = LinearPCMAssembler(format: format)
        self.session = session
        started.succeed(session)
    }
    /// The call's socket as its session knows it: not longer than there is one, since the socket has us, and we have the session.
    private struct Door {
        weak var socket: WebSocketHandler<CallConsumer>?
    }
}
