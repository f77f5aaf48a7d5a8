/// A frame, or a piece of one, as the decoder passes it on.
package enum WebSocketEvent: ~Copyable {
    /// A piece of a binary message, which may be empty. Pieces follow frames and socket reads, not messages.
    /// `isLast` is true for the last piece of a message.
    case binary(MaskedBytes, isLast: Bool)
    /// A whole text message, which is valid UTF-8.
    case text([UInt8])
    /// A ping. The answer is a pong with the same payload.
    case ping([UInt8])
    case pong([UInt8])
    /// The close frame. Nothing follows it.
    case close(WebSocketError.Code?, reason: String)
}

/// The side of the connection. It decides the masking: clients mask, servers do not.
package enum WebSocketRole: Sendable {
    case server
    case client
}

/// Decodes WebSocket frames (RFC 6455, section 5) from pieces of any size.
///
/// Binary payload is passed on in place as soon as it arrives: without a copy, an allocation, or a wait for the frame's
/// end.
/// Text and control frames are collected, within limits.
/// The decoder checks every rule of the standard that a peer can break. The first violation ends the decoding.
package struct WebSocketFrameDecoder: Sendable {
    /// The size limits of messages. A frame is never larger than its message, so these limits bound both.
    package struct Limits: Sendable {
        /// Bytes of one text message, which is collected in memory.
        package var text: Int
        /// Bytes of one binary message, which is not collected.
        package var binary: Int

        /// Makes limits.
        package init(text: Int = 1 << 16, binary: Int = 1 << 20) {
            self.text = text
            self.binary = binary
        }
    }

    /// Bytes of a control frame's payload: RFC 6455, section 5.5.
    @usableFromInline static let controlLimit = 125

    /// The operations of RFC 6455, section 5.2.
    package enum Operation: UInt8, Sendable {
        case continuation = 0x0
        case text = 0x1
        case binary = 0x2
        case close = 0x8
        case ping = 0x9
        case pong = 0xA

        @inlinable var isControl: Bool { rawValue >= 0x8 }
    }

    @usableFromInline let role: WebSocketRole
    @usableFromInline let limits: Limits
    /// The header being read: 2 bytes, up to 8 of length, up to 4 of masking key.
    @usableFromInline var header = InlineArray<14, UInt8>(repeating: 0)
    @usableFromInline var headerCount = 0
    @usableFromInline var headerSize = 2
    /// The header has been read, and payload follows.
    @usableFromInline var isInPayload = false

    @usableFromInline var operation = Operation.continuation
    @usableFromInline var isFinal = false
    @usableFromInline var remaining = 0
    /// The key for the next byte of payload.
    @usableFromInline var key: UInt32 = 0

    /// The kind of the message being received.
    @usableFromInline var message: Operation?
    @usableFromInline var messageSize = 0
    @usableFromInline var text: [UInt8] = []
    @usableFromInline var validator = UTF8Validator()
    @usableFromInline var control: [UInt8] = []
    @usableFromInline var isClosed = false

    /// Makes a decoder for the start of a connection.
    package init(role: WebSocketRole, limits: Limits = Limits()) {
        self.role = role
        self.limits = limits
    }

    /// Decodes the next frame, or piece of a frame, of the bytes of one read.
    /// - Parameter offset: the number of bytes decoded so far. Every call moves it forward.
    /// - Returns: nil if the bytes hold no further event. The rest of a header is then kept for the next read.
    @inlinable @inline(__always) package mutating func next(
        in bytes: UnsafeRawBufferPointer, from offset: inout Int
    ) throws(WebSocketError) -> WebSocketEvent? {
        while !isClosed {
            if !isInPayload {
                guard offset < bytes.count else { return nil }
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
            }
            let count = min(remaining, bytes.count - offset)
            guard count > 0 || remaining == 0 else { return nil }
            let piece = unsafe MaskedBytes(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]), key: key)
            offset += count
            remaining -= count
            let turn = UInt32(count & 3) * 8
            if turn > 0 { key = UInt32(littleEndian: key.littleEndian >> turn | key.littleEndian << (32 - turn)) }
            if remaining == 0 { isInPayload = false }
            if message == .binary, !operation.isControl {
                let isLast = remaining == 0 && isFinal
                if isLast { message = nil }
                return .binary(piece, isLast: isLast)
            }
            try collect(piece)
            if remaining == 0, let event = try endFrame() { return event }
        }
        return nil
    }

    /// Checks the first two bytes, and determines the header's length.
    @inlinable mutating func readFixedHeader() throws(WebSocketError) {
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
            guard message != nil else {
                throw WebSocketError(.protocolError, "a continuation without a started message")
            }
        } else {
            guard message == nil else { throw WebSocketError(.protocolError, "a message begins inside another") }
        }
        headerSize = 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + (isMasked ? 4 : 0)
    }

    /// Reads the length and the masking key, and begins the payload.
    @inlinable mutating func readExtendedHeader() throws(WebSocketError) {
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

    @inlinable mutating func beginData(length: Int) throws(WebSocketError) {
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

    @usableFromInline mutating func collect(_ piece: borrowing MaskedBytes) throws(WebSocketError) {
        guard !operation.isControl else { return piece.append(to: &control) }
        let start = text.count
        piece.append(to: &text)
        guard validator.accept(text[start...]) else {
            throw WebSocketError(.invalidData, "a text message is not UTF-8")
        }
    }

    @usableFromInline mutating func endFrame() throws(WebSocketError) -> WebSocketEvent? {
        switch operation {
        case .ping: return .ping(control)
        case .pong: return .pong(control)
        case .close: return try endConnection()
        case .text, .binary, .continuation:
            guard isFinal else { return nil }
            message = nil
            guard validator.isComplete else {
                throw WebSocketError(.invalidData, "a text message ends inside a character")
            }
            return .text(text)
        }
    }

    /// Parses the status code and reason of a close frame: RFC 6455, section 5.5.1.
    private mutating func endConnection() throws(WebSocketError) -> WebSocketEvent {
        isClosed = true
        guard !control.isEmpty else { return .close(nil, reason: "") }
        guard control.count >= 2 else { throw WebSocketError(.protocolError, "a close frame with half a status code") }
        let code = WebSocketError.Code(rawValue: UInt16(control[0]) << 8 | UInt16(control[1]))
        guard code.isValidOnTheWire else {
            throw WebSocketError(.protocolError, "\(code.rawValue) may not be sent as a status code")
        }
        var reason = UTF8Validator()
        guard reason.accept(control[2...]), reason.isComplete else {
            throw WebSocketError(.invalidData, "a close frame's reason is not UTF-8")
        }
        return .close(code, reason: String(decoding: control[2...], as: UTF8.self))
    }
}
