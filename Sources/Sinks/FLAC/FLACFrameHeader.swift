/// The header of a FLAC frame (RFC 9639, section 9.1), read without decoding the frame.
struct FLACFrameHeader {
    /// The most bytes of a header.
    static let maximumBytes = 16

    /// Frames of audio in the block.
    let blockSize: Int
    /// The block's number. If block sizes vary, the number of its first frame.
    let number: Int
    /// True when block sizes vary.
    let isVariable: Bool

    /// Reads a header at the start of the bytes. Returns nil if there is none for this number of
    /// channels, or if its CRC-8 is wrong.
    init?(_ bytes: ArraySlice<UInt8>, channels: Int) {
        var rest = bytes
        guard rest.count >= 6, rest.removeFirst() == 0xFF, let sync = rest.popFirst(), sync & 0xFE == 0xF8,
            let sizes = rest.popFirst(), let layout = rest.popFirst(), layout & 1 == 0,
            (layout >> 4 < 8 ? Int(layout >> 4) + 1 : 2) == channels, layout >> 4 <= 10,
            let number = Self.codedNumber(&rest)
        else { return nil }

        func take(_ count: Int) -> Int? {
            guard rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count).reduce(0) { $0 << 8 | Int($1) }
        }
        let blockSize: Int?
        switch Int(sizes >> 4) {
        case 0: blockSize = nil
        case 1: blockSize = 192
        case let code where code <= 5: blockSize = 576 << (code - 2)
        case 6: blockSize = take(1).map { $0 + 1 }
        case 7: blockSize = take(2).map { $0 + 1 }
        case let code: blockSize = 256 << (code - 8)
        }
        let rateBytes: Int? =
            switch sizes & 15 {
            case 15: nil
            case 12: 1
            case 13, 14: 2
            default: 0
            }
        guard let blockSize, let rateBytes, take(rateBytes) != nil, let checksum = rest.popFirst(),
            Self.crc8(bytes[..<(rest.startIndex - 1)]) == checksum
        else { return nil }
        (self.blockSize, self.number, isVariable) = (blockSize, number, sync & 1 == 1)
    }

    /// Reads a number of up to 36 bits in the coding that UTF-8 uses for characters.
    private static func codedNumber(_ rest: inout ArraySlice<UInt8>) -> Int? {
        guard let first = rest.popFirst() else { return nil }
        if first < 0x80 { return Int(first) }
        let length = (~first).leadingZeroBitCount
        guard 2...7 ~= length else { return nil }
        var number = Int(first) & (0x7F >> length)
        for _ in 1..<length {
            guard let next = rest.popFirst(), next & 0xC0 == 0x80 else { return nil }
            number = number << 6 | Int(next & 0x3F)
        }
        return number
    }

    /// Computes the checksum after a frame's header: polynomial x⁸ + x² + x + 1 (RFC 9639, section 9.1.8).
    private static func crc8(_ bytes: ArraySlice<UInt8>) -> UInt8 {
        bytes.reduce(0) { sum, byte in
            (0..<8).reduce(sum ^ byte) { value, _ in value & 0x80 == 0 ? value << 1 : value << 1 ^ 0x07 }
        }
    }

    /// Computes the checksum after a frame: polynomial x¹⁶ + x¹⁵ + x² + 1 (RFC 9639, section 9.3).
    /// Over a whole frame including its checksum the result is 0.
    static func crc16(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        bytes.reduce(0) { sum, byte in
            (0..<8).reduce(sum ^ UInt16(byte) << 8) { value, _ in value & 0x8000 == 0 ? value << 1 : value << 1 ^ 0x8005
            }
        }
    }
}
