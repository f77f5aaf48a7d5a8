import CallreelCore
import CallreelEngine
import CallreelWebSocket
import Logging
import NIOCore

/// Handles the messages of one call. It owns the call's dialect, which reads them, and the call's session.
final class CallConsumer: WebSocketConsumer {
    private let recorder: Recorder
    private(set) var logger: Logger
    private var dialect: any CarrierDialect
    private let token: CallToken?
    private var source: SocketSource?
    /// The call that the dialect has announced, until the connection has begun.
    private var announced: CallStart?
    private(set) var session: CallSession?
    /// No sink wants the call. Its audio is taken, so that the call goes on for its parties, and dropped.
    private var isUnwanted = false
    /// What the dialect says between the announcement and the beginning of the session, in the same message.
    private var early: [(CallSession) -> Void] = []
    private var binaryMessages = BinaryMessages.dialect
    /// The binary message so far that the dialect will read.
    private var message: [UInt8] = []
    private var assembler = LinearPCMAssembler(format: AudioFormat(sampleRate: 8000))
    /// The steps that the dialect has asked for in the present message.
    private var flow = WebSocketFlow.goOn
    private let aheadLimit: TimeAmount?
    /// The time of the call's first read, its samples per second, and the samples received so far.
    private var began: NIODeadline?
    private var samplesPerSecond = 1
    private var samplesReceived = 0
    private var wasAhead = false

    /// Makes the consumer of a new connection.
    /// - Parameters:
    ///   - token: the token that admitted the call; nil if none was needed.
    ///   - aheadLimit: limit of audio ahead of the clock; nil sets none.
    init(
        recorder: Recorder, dialect: any CarrierDialect, token: CallToken? = nil, aheadLimit: TimeAmount? = nil,
        logger: Logger
    ) {
        self.recorder = recorder
        self.token = token
        self.aheadLimit = aheadLimit
        self.dialect = dialect
        self.logger = logger
    }

    func attach(to source: SocketSource) -> WebSocketFlow {
        self.source = source
        return .goOn
    }

    // MARK: - Messages

    func receive(binary piece: borrowing MaskedBytes) throws(WebSocketError) {
        guard case .audio = binaryMessages else {
            if !hasBegun { try refuseEarlyBinary() }
            return piece.append(to: &message)
        }
        unsafe assembler.append(byteCount: piece.count) { unsafe piece.unmask(into: $0) }
    }

    func receiveBinaryEnd() throws(WebSocketError) -> WebSocketFlow {
        if case .audio = binaryMessages { return .goOn }
        let bytes = message
        message = []
        return try ask { dialect, desk throws(CarrierRefusal) in try dialect.receive(binary: bytes.span, at: &desk) }
    }

    func receive(text: [UInt8]) throws(WebSocketError) -> WebSocketFlow {
        try ask { dialect, desk throws(CarrierRefusal) in try dialect.receive(text: text.span, at: &desk) }
    }

    /// Refuses binary data before the call begins, so that a stranger's call keeps no memory.
    private func refuseEarlyBinary() throws(WebSocketError) {
        _ = try ask { dialect, desk throws(CarrierRefusal) in
            try dialect.receive(binary: Span<UInt8>(), at: &desk)
            throw CarrierRefusal(.policy, "a binary message came before the message that begins the call")
        }
    }

    /// Lets the dialect do something, and returns the steps that it asks for.
    private func ask(
        _ body: (inout any CarrierDialect, inout Desk) throws(CarrierRefusal) -> Void
    ) throws(WebSocketError) -> WebSocketFlow {
        // Audio received before must be delivered before what the dialect says.
        flow = WebSocketFlow(isFull: !deliver())
        var desk = Desk(self)
        do throws(CarrierRefusal) { try body(&dialect, &desk) } catch { throw WebSocketError(error) }
        defer { flow = .goOn }
        return flow
    }

    func begin(group: Int?) {
        guard var start = announced.take(), let source else { return }
        start.group = group
        let session = recorder.begin(start, source: source).session
        logger = session.logger
        samplesPerSecond = start.format.sampleRate * start.format.channels
        self.session = session
        for statement in early { statement(session) }
        early = []
    }

    // MARK: - Reads

    func receiveReadEnd(now: NIODeadline) -> WebSocketFlow {
        WebSocketFlow(isFull: !deliver(), pause: timeAhead(now: now))
    }

    /// Returns the time to wait for a call too far ahead of the clock, so that it comes at the speed of real time.
    /// Otherwise a client could fill the disk with fast audio.
    private func timeAhead(now: NIODeadline) -> TimeAmount? {
        guard let aheadLimit, hasBegun else { return nil }
        let start = began ?? now
        began = start
        let received = TimeAmount.of(seconds: Double(samplesReceived) / Double(samplesPerSecond))
        let ahead = received - (now - start) - aheadLimit
        guard ahead > .zero else { return nil }
        if !wasAhead {
            logger.warning(
                "call is ahead of real time: reading it in real time", metadata: ["ahead.limit": "\(aheadLimit.text)"])
        }
        wasAhead = true
        return max(ahead, .milliseconds(20))
    }

    func receiveDrained() { session?.noteDrained() }

    func tick() -> WebSocketFlow {
        guard session != nil || isUnwanted else { return .goOn }
        do throws(WebSocketError) {
            return try ask { dialect, desk throws(CarrierRefusal) in dialect.tick(at: &desk) }
        } catch {
            return .goOn
        }
    }

    func end(_ reason: String) {
        if session != nil || isUnwanted {
            var desk = Desk(self)
            dialect.end(at: &desk)
        }
        // Audio received so far still belongs to the recording.
        _ = deliver()
        if isUnwanted {
            logger.info(
                "unrecorded call ended",
                metadata: ["reason": "\(reason)", "seconds": "\(samplesReceived / samplesPerSecond)"])
        }
        session?.end(reason, leftoverBytes: assembler.leftoverByteCount)
    }

    /// Delivers the audio so far to the sinks. Returns false if they have no room for more.
    private func deliver() -> Bool {
        guard session != nil || isUnwanted, let samples = assembler.takeSamples() else { return true }
        samplesReceived += samples.count
        return session?.receive(samples) ?? true
    }
}

// What the dialect says.
extension CallConsumer: DeskRecipient {
    var hasBegun: Bool { session != nil || announced != nil || isUnwanted }

    func begin(_ call: CallFacts, format: AudioFormat, binary: BinaryMessages) throws(CarrierRefusal) {
        if let token, !token.isFor(call.uuid) {
            throw CarrierRefusal(
                .policy,
                "the uuid \(call.uuid == nil ? "is missing" : "is not the one") that the call's token was made for")
        }
        if let reason = recorder.unwanted(call) {
            if recorder.unwantedCalls == .refuse { throw CarrierRefusal(.policy, reason) }
            logger.info(
                "call not recorded", metadata: ["reason": "\(reason)", "call.from": "\(call.from ?? "unknown")"])
            isUnwanted = true
            samplesPerSecond = format.sampleRate * format.channels
        } else {
            announced = CallStart(call, format: format)
        }
        binaryMessages = binary
        assembler = LinearPCMAssembler(format: format)
        flow.begin = .live(bytesPerSecond: format.sampleRate * format.bytesPerFrame)
    }

    func audio(_ bytes: Span<UInt8>) { unsafe assembler.append(bytes.bytes) }

    func event(_ type: String, _ data: [String: JSONValue]) {
        if !deliver() { flow.isFull = true }
        say { $0.note(type, data: data) }
    }

    func malformed(_ reason: String) { say { $0.noteMalformed(reason) } }

    /// Tells the session something: now, or once it begins. One message makes the list no longer than the message.
    private func say(_ statement: @escaping (CallSession) -> Void) {
        if let session { statement(session) } else if announced != nil { early.append(statement) }
    }

    func reply(text: String) { flow.replies.append(.init(operation: .text, payload: Array(text.utf8))) }

    func reply(binary: [UInt8]) { flow.replies.append(.init(operation: .binary, payload: binary)) }

    func end(call reason: String) { flow.close = reason }
}

extension WebSocketError {
    /// Makes the error that closes the connection of a refused call.
    init(_ refusal: CarrierRefusal) {
        let code: Code =
            switch refusal.kind {
            case .unauthorized, .policy: .policyViolation
            case .malformed: .invalidData
            case .unsupported: .unsupportedData
            }
        self.init(code, refusal.reason)
    }
}
