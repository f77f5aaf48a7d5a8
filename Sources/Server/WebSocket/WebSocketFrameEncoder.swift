import NIOCore

/// Writes WebSocket frames (RFC 6455, section 5.2). Each frame is a whole message.
struct WebSocketFrameEncoder: Sendable {
    /// The side that sends. A client masks its frames; a server does not.
    let role: WebSocketRole

    /// Adds a frame to a buffer.
    func write(
        _ operation: WebSocketFrameDecoder.Operation, _ payload: some Collection<UInt8>, to buffer: inout ByteBuffer
    ) {
        buffer.writeInteger(0x80 | operation.rawValue)
        let maskBit: UInt8 = role == .client ? 0x80 : 0
        switch payload.count {
        case 0...125:
            buffer.writeInteger(maskBit | UInt8(payload.count))
        case 126...0xFFFF:
            buffer.writeInteger(maskBit | 126)
            buffer.writeInteger(UInt16(payload.count))
        default:
            buffer.writeInteger(maskBit | 127)
            buffer.writeInteger(UInt64(payload.count))
        }
        guard role == .client else {
            buffer.writeBytes(payload)
            return
        }
        let key = UInt32.random(in: .min ... .max)
        buffer.writeInteger(key, endianness: .host)
        var bytes = Array(payload)
        unsafe bytes.withUnsafeMutableBytes { target in
            unsafe MaskedBytes(UnsafeRawBufferPointer(target), key: key).unmask(into: target)
        }
        buffer.writeBytes(bytes)
    }

    /// Adds a close frame. Cuts the reason after a whole character to fit, because a control frame's payload has at
    /// most 125 bytes.
    func writeClose(_ code: WebSocketError.Code?, reason: String = "", to buffer: inout ByteBuffer) {
        var payload: [UInt8] = []
        if let code {
            payload = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)]
            for character in reason {
                guard payload.count + character.utf8.count <= 125 else { break }
                payload += character.utf8
            }
        }
        write(.close, payload, to: &buffer)
    }
}
