import Testing

@testable import CallreelWebSocket

/// Keeps a decoder's results.
private final class Collector {
    var log: [String] = []
    var binary: [UInt8] = []

    func add(_ event: consuming WebSocketEvent) {
        switch consume event {
        case .binary(let piece, let isLast):
            piece.append(to: &binary)
            if isLast { log.append("binary \(binary.count)") }
        case .text(let text): log.append("text " + String(decoding: text, as: UTF8.self))
        case .ping(let payload): log.append("ping \(payload)")
        case .pong(let payload): log.append("pong \(payload)")
        case .close(let code, let reason): log.append("close \(code?.rawValue ?? 0) \(reason)")
        }
    }
}

@Suite struct WebSocketFrameDecoderTests {
    /// Makes a client's frame with the given first byte.
    private func frame(_ first: UInt8, _ payload: [UInt8], key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]) -> [UInt8] {
        var bytes = [first]
        switch payload.count {
        case 0...125: bytes.append(0x80 | UInt8(payload.count))
        case 126...0xFFFF: bytes += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: bytes += [0x80 | 127] + (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 0xFF) }
        }
        return bytes + key + payload.enumerated().map { $1 ^ key[$0 & 3] }
    }

    /// Decodes bytes in pieces of a length; an error becomes the last line.
    private func decode(_ bytes: [UInt8], pieces: Int = .max, role: WebSocketRole = .server) -> Collector {
        var decoder = WebSocketFrameDecoder(role: role)
        let collector = Collector()
        var offset = 0
        while offset < bytes.count {
            let piece = Array(bytes[offset..<min(bytes.count, offset + min(pieces, bytes.count))])
            let failure: WebSocketError? = unsafe piece.withUnsafeBytes { buffer in
                do throws(WebSocketError) {
                    var offset = 0
                    while let event = unsafe try decoder.next(in: buffer, from: &offset) { collector.add(event) }
                    return nil
                } catch {
                    return error
                }
            }
            if let failure {
                collector.log.append("error \(failure.code.rawValue)")
                break
            }
            offset += piece.count
        }
        return collector
    }

    @Test func `the standard's own example is understood`() {
        // RFC 6455, section 5.7: a single-frame masked text message.
        #expect(decode([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]).log == ["text Hello"])
        // And an unmasked one, which only a server may send.
        #expect(decode([0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], role: .client).log == ["text Hello"])
        #expect(decode([0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]).log == ["error 1002"])
        #expect(decode(frame(0x81, [0x48]), role: .client).log == ["error 1002"])
    }

    @Test(arguments: [1, 2, 3, 5, 7, 13, 64, 1000, 65536])
    func `a stream cut anywhere means the same`(pieces: Int) {
        let audio = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let stream =
            frame(0x82, Array(audio[..<640])) + frame(0x82, []) + frame(0x89, [1, 2])
            + frame(0x02, Array(audio[640..<767]))
            + frame(0x8A, []) + frame(0x00, Array(audio[767..<800])) + frame(0x80, []) + frame(0x81, Array("grüß".utf8))
            + frame(0x82, Array(audio[800...]), key: [0, 0xFF, 0, 1]) + frame(0x88, [0x03, 0xE8] + Array("bye".utf8))
            + frame(0x82, [9])
        let collector = decode(stream, pieces: pieces)
        #expect(collector.binary == audio)
        #expect(
            collector.log == [
                "binary 640", "binary 640", "ping [1, 2]", "pong []", "binary 800", "text grüß", "binary 70000",
                "close 1000 bye",
            ])
    }

    @Test func `every breach of the framing rules is a protocol error`() {
        let breaches: [[UInt8]] = [
            frame(0xC2, [1]), frame(0xA2, [1]), frame(0x92, [1]),  // reserved bits
            frame(0x83, []), frame(0x87, []), frame(0x8B, []), frame(0x8F, []),  // reserved opcodes
            frame(0x09, []), frame(0x08, []),  // fragmented control frames
            frame(0x89, Array(repeating: 0, count: 126)),  // too long a control frame
            frame(0x80, [1]), frame(0x00, [1]),  // continuations without a message
            frame(0x02, [1]) + frame(0x82, [2]), frame(0x01, [65]) + frame(0x81, [65]),  // a message inside another
            // Lengths in longer forms than needed.
            [0x82, 0xFE, 0, 125, 0, 0, 0, 0], [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0],
            [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],  // the highest bit of a length
            frame(0x88, [3]),  // half a status code
        ]
        for breach in breaches { #expect(decode(breach).log.last == "error 1002", "\(breach.prefix(12))") }
    }

    @Test func `status codes that may not be sent are refused`() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            #expect(decode(frame(0x88, [UInt8(code >> 8), UInt8(code & 0xFF)])).log == ["error 1002"], "\(code)")
        }
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999] {
            #expect(decode(frame(0x88, [UInt8(code >> 8), UInt8(code & 0xFF)])).log == ["close \(code) "], "\(code)")
        }
        #expect(decode(frame(0x88, [])).log == ["close 0 "])
        #expect(decode(frame(0x88, [0x03, 0xE8, 0xFF])).log == ["error 1007"])
    }

    @Test func `text that is not UTF-8 fails at its first wrong byte`() {
        let wrong: [[UInt8]] = [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80],
            [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xC3, 0x28], [0xFE], [0xFF], [0xE2, 0x28, 0xA1],
        ]
        for bytes in wrong {
            #expect(decode(frame(0x81, bytes)).log == ["error 1007"], "\(bytes)")
            // The decoder does not even wait for the end of the message.
            #expect(decode(frame(0x01, bytes)).log == ["error 1007"], "\(bytes)")
        }
        for text in ["κόσμε", "\u{7FF}\u{800}\u{FFFF}\u{10FFFF}", "\u{D7FF}\u{E000}", ""] {
            #expect(decode(frame(0x81, Array(text.utf8)), pieces: 1).log == ["text \(text)"])
        }
        #expect(decode(frame(0x81, [0xE2, 0x82])).log == ["error 1007"])
    }

    @Test func `messages over the limits are too big, in one frame or many`() {
        let limit = WebSocketFrameDecoder.Limits().text
        #expect(decode(frame(0x81, Array(repeating: 65, count: limit))).log.count == 1)
        #expect(decode(frame(0x81, Array(repeating: 65, count: limit + 1))).log == ["error 1009"])
        #expect(decode(frame(0x01, Array(repeating: 65, count: limit)) + frame(0x80, [65])).log == ["error 1009"])
        // The decoder refuses a length before its payload arrives.
        #expect(decode([0x82, 0xFF, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]).log == ["error 1009"])
    }

    @Test(arguments: [0, 1, 125, 126, 127, 65535, 65536]) func `what the encoder writes, the decoder reads`(count: Int)
    {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        for (writer, reader) in [(WebSocketRole.client, WebSocketRole.server), (.server, .client)] {
            let encoder = WebSocketFrameEncoder(role: writer)
            let bytes =
                encoder.frame(.binary, payload)
                + encoder.closeFrame(.tooBig, reason: String(repeating: "ü", count: 200))
            let collector = decode(bytes, role: reader)
            #expect(collector.binary == payload)
            #expect(collector.log == ["binary \(count)", "close 1009 " + String(repeating: "ü", count: 61)])
        }
    }
}
