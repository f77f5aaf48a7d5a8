import AudioPieces

/// The bytes of one read of a call's socket: adjacent masked binary frames, as a carrier sends them.
package struct SocketRead {
    /// The frames' bytes.
    package let bytes: [UInt8]
    /// The number of frames.
    package let frames: Int
    /// Bytes of audio in each frame.
    private let payload: Int

    /// Bytes of a masked frame's header: two, two of length, four of key (RFC 6455, section 5.2).
    private static let headerSize = 8

    /// Makes frames of 126 to 65535 bytes of audio, each with its own key.
    package init(frames: Int, payload: Int) {
        self.frames = frames
        self.payload = payload
        var bytes: [UInt8] = []
        var random: UInt32 = 0x9E37_79B9
        for _ in 0..<frames {
            bytes += [0x82, 0x80 | 126, UInt8(payload >> 8), UInt8(payload & 0xFF)]
            for _ in 0..<(4 + payload) {
                // Xorshift (Marsaglia). The audio does not matter here, but it must vary.
                random ^= random << 13
                random ^= random >> 17
                random ^= random << 5
                bytes.append(UInt8(truncatingIfNeeded: random))
            }
        }
        self.bytes = bytes
    }

    /// Copies the payload of each frame to the same place, still masked. Other figures are compared with this one.
    package func copyAll(into target: UnsafeMutableRawBufferPointer) {
        bytes.withUnsafeBytes { source in
            for index in 0..<frames {
                let begin = index * (Self.headerSize + payload) + Self.headerSize
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[begin..<begin + payload]))
            }
        }
    }

    /// Unmasks the payload of each frame to the same place.
    package func unmaskAll(into target: UnsafeMutableRawBufferPointer) {
        bytes.withUnsafeBytes { source in
            for index in 0..<frames {
                let begin = index * (Self.headerSize + payload) + Self.headerSize
                let key = source.loadUnaligned(fromByteOffset: begin - 4, as: UInt32.self)
                MaskedBytes(UnsafeRawBufferPointer(rebasing: source[begin..<begin + payload]), key: key).unmask(
                    into: target)
            }
        }
    }
}

/// Decodes a call's audio from socket bytes to samples, as the server does for each call.
package final class DoorLoop {
    private var decoder = WebSocketFrameDecoder(role: .server)
    private let assembly = Assembly()

    /// Makes a decoder for a call at 16 kHz.
    package init() {}

    /// Decodes all bytes of a read, and returns the samples.
    package func take(_ read: SocketRead) -> [Int16] {
        read.bytes.withUnsafeBytes { bytes in
            // The frames are valid, so an error would be the decoder's.
            do { try decoder.decode(bytes, into: assembly) } catch { fatalError("\(error)") }
        }
        return assembly.samples.takeSamples() ?? []
    }
}

/// Assembles audio frames into samples. Frames of other kinds are not measured.
private final class Assembly: WebSocketReceiver {
    var samples = LinearPCMAssembler(format: AudioFormat(sampleRate: 16000))

    func receive(binary piece: borrowing MaskedBytes) throws(WebSocketError) {
        samples.append(byteCount: piece.count) { piece.unmask(into: $0) }
    }

    func receiveBinaryEnd() throws(WebSocketError) {}
    func receive(text: [UInt8]) throws(WebSocketError) {}
    func receive(ping payload: [UInt8]) throws(WebSocketError) {}
    func receive(pong payload: [UInt8]) throws(WebSocketError) {}
    func receive(close code: WebSocketError.Code?, reason: String) {}
}
