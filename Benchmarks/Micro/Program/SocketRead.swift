import CallreelCore
import CallreelWebSocket

/// The bytes of one read of a call's socket: adjacent masked binary frames, as a carrier sends them.
struct SocketRead {
    /// The frames' bytes.
    let bytes: [UInt8]
    /// The number of frames.
    let frames: Int
    /// Bytes of audio in each frame.
    private let payload: Int

    /// Bytes of a masked frame's header: two, two of length, four of key (RFC 6455, section 5.2).
    private static let headerSize = 8

    /// Makes frames of 126 to 65535 bytes of audio, each with its own key.
    init(frames: Int, payload: Int) {
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
    func copyAll(into target: UnsafeMutableRawBufferPointer) {
        bytes.withUnsafeBytes { source in
            for index in 0..<frames {
                let begin = index * (Self.headerSize + payload) + Self.headerSize
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[begin..<begin + payload]))
            }
        }
    }

    /// Unmasks the payload of each frame to the same place.
    func unmaskAll(into target: UnsafeMutableRawBufferPointer) {
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
final class DecodingLoop {
    private var decoder = WebSocketFrameDecoder(role: .server)
    private var samples = LinearPCMAssembler(format: AudioFormat(sampleRate: 16000))

    /// Decodes all bytes of a read, and returns the samples.
    func take(_ read: SocketRead) -> [Int16] {
        read.bytes.withUnsafeBytes { bytes in
            // The frames are valid, so an error would be the decoder's.
            do { try decode(bytes, with: &decoder) } catch { fatalError("\(error)") }
        }
        return samples.takeSamples() ?? []
    }

    /// The whole read is one access to the decoder.
    private func decode(
        _ bytes: UnsafeRawBufferPointer, with decoder: inout WebSocketFrameDecoder
    ) throws(WebSocketError) {
        var offset = 0
        while let event = try decoder.next(in: bytes, from: &offset) { take(event) }
    }

    /// Assembles audio. Frames of other kinds are not measured.
    @inline(__always) private func take(_ event: consuming WebSocketEvent) {
        switch consume event {
        case .binary(let piece, _): samples.append(byteCount: piece.count) { piece.unmask(into: $0) }
        case .text: break
        case .ping: break
        case .pong: break
        case .close: break
        }
    }
}
