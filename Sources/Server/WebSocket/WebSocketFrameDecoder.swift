/// A receiver of a WebSocket's decoded messages, in order.
protocol WebSocketReceiver: AnyObject {
    /// Receives a piece of a binary message's payload. Pieces follow frames and socket reads, not messages.
    func receive(binary piece: borrowing MaskedBytes) throws(WebSocketError)
    /// Receives the end of a binary message.
    func receiveBinaryEnd() throws(WebSocketError)
    /// Receives a whole text message, which is valid UTF-8.
    func receive(text: [UInt8]) throws(WebSocketError)
    /// Receives a ping. The answer is a pong with the same payload.
    func receive(ping payload: [UInt8]) throws(WebSocketError)
    /// Receives a pong.
    func receive(pong payload: [UInt8]) throws(WebSocketError)
    /// Receives the close frame. No call follows it.
    func receive(close code: WebSocketError.Code?, reason: String)
}

/// The side of the connection. It decides the masking: clients mask, servers do not.
enum WebSocketRole: Sendable {
    case server
    case client
}

/// Decodes WebSocket frames (RFC 6455, section 5) from pieces of any size.
///
/// Binary payload is passed on in place as soon as it arrives: without a copy, an allocation, or a wait for the frame's
/// end.
/// Text and control frames are collected, within limits.
/// The decoder checks every rule of the standard that a peer can break. The first violation ends the decoding.
struct WebSocketFrameDecoder: Sendable {
    /// The size limits of messages. A frame is never larger than its message, so these limits bound both.
    struct Limits: Sendable {
        /// Bytes of one text message, which is collected in memory.
        var text = 1 << 16
        /// Bytes of one binary message, which is not collected.
        var binary = 1 << 20
    }

    /// Bytes of a control frame's payload: RFC 6455, section 5.5.
    private static let controlLimit = 125

    /// The operations of RFC 6455, section 5.2.
    enum Operation: UInt8, Sendable {
        case continuation = 0x0
        case text = 0x1
        case binary = 0x2
        case close = 0x8
        case ping = 0x9
        case pong = 0xA

        var isControl: Bool { rawValue >= 0x8 }
    }

    private let role: WebSocketRole
    private let limits: Limits
    /// The header being read: 2 bytes, up to 8 of length, up to 4 of masking key.
    private var header = InlineArray<14, UInt8>(repeating: 0)
    private var headerCount = 0
    private var headerSize = 2
    /// The header has been read, and payload follows.
    private var isInPayload = false

    private var operation = Operation.continuation
    private var isFinal = false
    private var remaining = 0
    /// The key for the next byte of payload.
    private var key: UInt32 = 0

    /// The kind of the message being received.
    private var message: Operation?
    private var messageSize = 0
    private var text: [UInt8] = []
    private var validator = UTF8Validator()
    private var control: [UInt8] = []
    private var isClosed = false

    /// Makes a decoder for the start of a connection.
    init(role: WebSocketRole, limits: Limits = Limits()) {
        self.role = role
        self.limits = limits
    }

    /// Decodes the bytes of one read.
    mutating func decode(_ bytes: UnsafeRawBufferPointer, into receiver: some WebSocketReceiver) throws(WebSocketError)
    {
        var offset = 0
        while offset < bytes.count, !isClosed {
            if !isInPayload {
                if headerCount == 0, bytes.count - offset >= header.count {
                    // The longest possible header is within these bytes, so it is read at once and not byte by byte.
                    header = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: InlineArray<14, UInt8>.self)
                    try readFixedHeader()
                    offset += headerSize
                } else {
                    header[headerCount] = unsafe bytes[offset]
                    headerCount += 1
                    offset += 1
                    if headerCount == 2 { try readFixedHeader() }
                    guard headerCount == headerSize else { continue }
                }
                try readExtendedHeader()
                // An empty frame is already complete.
                if remaining == 0 { try endFrame(receiver) }
                continue
            }
            let count = min(remaining, bytes.count - offset)
            let piece = unsafe MaskedBytes(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]), key: key)
            try take(piece, receiver)
            offset += count
            remaining -= count
            let turn = UInt32(count & 3) * 8
            if turn > 0 { key = UInt32(littleEndian: key.littleEndian >> turn | key.littleEndian << (32 - turn)) }
            if remaining == 0 { try endFrame(receiver) }
        }
    }

    /// Checks the first two bytes, and determines the header's length.
    private mutating func readFixedHeader() throws(WebSocketError) {
        let first = header[0], second = header[1]
        guard first & 0x70 == 0 else { throw WebSocketError(.protocolError, "reserved bits are set") }
        guard let operation = Operation(rawValue: first & 0x0F) else {
            throw WebSocketError(.protocolError, "opcode \(first & 0x0F) is reserved")
        }
        self.operation = operation
        isFinal = first & 0x80 != 0
        let isMasked = second & 0x80 != 0
        guard isMasked == (role == .server) else {
            throw WebSocketError(
                .protocolError, isMasked ? "a server's frame is masked" : "a client's frame is not masked")
        }
        let length = second & 0x7F
        if operation.isControl {
            guard isFinal else { throw WebSocketError(.protocolError, "a control frame is fragmented") }
            guard length <= Self.controlLimit else {
                throw WebSocketError(.protocolError, "a control frame is longer than 125 bytes")
            }
        } else if operation == .continuation {
            guard message != nil else { throw WebSocketError(.protocolError, "a continuation without a beginning") }
        } else {
            guard message == nil else { throw WebSocketError(.protocolError, "a message begins inside another") }
        }
        headerSize = 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + (isMasked ? 4 : 0)
    }

    /// Reads the length and the masking key, and begins the payload.
    private mutating func readExtendedHeader() throws(WebSocketError) {
        let short = header[1] & 0x7F
        let extra = short == 126 ? 2 : short == 127 ? 8 : 0
        var length = UInt64(extra == 0 ? short : 0)
        for index in 2..<(2 + extra) { length = length << 8 | UInt64(header[index]) }
        guard extra != 2 || length > 125, extra != 8 || length > 0xFFFF else {
            throw WebSocketError(.protocolError, "a length of \(length) is not in its shortest form")
        }
        guard length <= UInt64(Int.max) else {
            throw WebSocketError(.protocolError, "a length has its highest bit set")
        }
        key = 0
        if role == .server {
            for index in 0..<4 { key |= UInt32(header[2 + extra + index]) << UInt32(index * 8) }
            // In memory the key's first byte comes first, whatever the machine's byte order.
            key = UInt32(littleEndian: key)
        }
        remaining = Int(length)
        headerCount = 0
        headerSize = 2
        isInPayload = true
        if operation.isControl {
            control.removeAll(keepingCapacity: true)
        } else {
            try beginData(length: remaining)
        }
    }

    private mutating func beginData(length: Int) throws(WebSocketError) {
        if operation != .continuation {
            message = operation
            messageSize = 0
            text.removeAll(keepingCapacity: true)
            validator = UTF8Validator()
        }
        let limit = message == .text ? limits.text : limits.binary
        guard length <= limit - messageSize else {
            throw WebSocketError(.tooBig, "a message of more than \(limit) bytes")
        }
        messageSize += length
    }

    private mutating func take(_ piece: borrowing MaskedBytes, _ receiver: some WebSocketReceiver)
        throws(WebSocketError)
    {
        if operation.isControl {
            piece.append(to: &control)
        } else if message == .binary {
            try receiver.receive(binary: piece)
        } else {
            let start = text.count
            piece.append(to: &text)
            guard validator.accept(text[start...]) else {
                throw WebSocketError(.invalidData, "a text message is not UTF-8")
            }
        }
    }

    private mutating func endFrame(_ receiver: some WebSocketReceiver) throws(WebSocketError) {
        isInPayload = false
        switch operation {
        case .ping: try receiver.receive(ping: control)
        case .pong: try receiver.receive(pong: control)
        case .close: try endConnection(receiver)
        case .text, .binary, .continuation:
            guard isFinal, let finished = message else { return }
            message = nil
            guard finished == .text else { return try receiver.receiveBinaryEnd() }
            guard validator.isComplete else {
                throw WebSocketError(.invalidData, "a text message ends inside a character")
            }
            try receiver.receive(text: text)
        }
    }

    /// Parses the status code and reason of a close frame: RFC 6455, section 5.5.1.
    private mutating func endConnection(_ receiver: some WebSocketReceiver) throws(WebSocketError) {
        isClosed = true
        guard !control.isEmpty else { return receiver.receive(close: nil, reason: "") }
        guard control.count >= 2 else { throw WebSocketError(.protocolError, "a close frame with half a status code") }
        let code = WebSocketError.Code(rawValue: UInt16(control[0]) << 8 | UInt16(control[1]))
        guard code.isValidOnTheWire else {
            throw WebSocketError(.protocolError, "\(code.rawValue) may not be sent as a status code")
        }
        var reason = UTF8Validator()
        guard reason.accept(control[2...]), reason.isComplete else {
            throw WebSocketError(.invalidData, "a close frame's reason is not UTF-8")
        }
        receiver.receive(close: code, reason: String(decoding: control[2...], as: UTF8.self))
    }
}
