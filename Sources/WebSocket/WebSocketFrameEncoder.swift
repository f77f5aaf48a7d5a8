/// Writes WebSocket frames (RFC 6455, section 5.2). Each frame is a whole message.
package struct WebSocketFrameEncoder: Sendable {
    /// The side that sends. A client masks its frames; a server does not.
    private let role: WebSocketRole

    /// Makes the encoder of one side.
    package init(role: WebSocketRole) { self.role = role }

    /// Returns a frame's bytes.
    package func frame(_ operation: WebSocketFrameDecoder.Operation, _ payload: some Collection<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        append(operation, payload, to: &bytes)
        return bytes
    }

    /// Adds a frame to the bytes of others.
    package func append(
        _ operation: WebSocketFrameDecoder.Operation, _ payload: some Collection<UInt8>, to bytes: inout [UInt8]
    ) {
        bytes.reserveCapacity(bytes.count + payload.count + 14)
        bytes.append(0x80 | operation.rawValue)
        let maskBit: UInt8 = role == .client ? 0x80 : 0
        switch payload.count {
        case 0...125:
            bytes.append(maskBit | UInt8(payload.count))
        case 126...0xFFFF:
            bytes.append(maskBit | 126)
            Self.append(UInt64(payload.count), size: 2, to: &bytes)
        default:
            bytes.append(maskBit | 127)
            Self.append(UInt64(payload.count), size: 8, to: &bytes)
        }
        guard role == .client else { return bytes.append(contentsOf: payload) }
        let key = UInt32.random(in: .min ... .max)
        unsafe withUnsafeBytes(of: key) { unsafe bytes.append(contentsOf: $0) }
        let start = bytes.count
        bytes.append(contentsOf: payload)
        unsafe bytes.withUnsafeMutableBytes { buffer in
            let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start...])
            unsafe MaskedBytes(UnsafeRawBufferPointer(target), key: key).unmask(into: target)
        }
    }

    /// Returns the bytes of a close frame. Cuts the reason after a whole character to fit, because a control frame's
    /// payload has at most 125 bytes.
    package func closeFrame(_ code: WebSocketError.Code?, reason: String = "") -> [UInt8] {
        var payload: [UInt8] = []
        if let code {
            payload = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)]
            for character in reason {
                guard payload.count + character.utf8.count <= 125 else { break }
                payload += character.utf8
            }
        }
        return frame(.close, payload)
    }

    /// Adds the last bytes of a number, the most significant first.
    private static func append(_ number: UInt64, size: Int, to bytes: inout [UInt8]) {
        for index in (0..<size).reversed() { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(index * 8))) }
    }
}
