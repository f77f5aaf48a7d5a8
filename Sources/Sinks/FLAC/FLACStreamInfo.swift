/// The STREAMINFO block of a FLAC file (RFC 9639, section 8.2): what the file says of its audio as a whole.
struct FLACStreamInfo: Equatable {
    /// Bytes of the block without its header.
    static let byteCount = 34
    /// Where the block's content begins: behind `fLaC` and the block's header. It is always the first.
    static let offset = 8

    /// Frames in the smallest block but the last, and in the greatest.
    var minimumBlock: Int, maximumBlock: Int
    /// Bytes of the smallest and of the greatest FLAC frame; 0 when not known.
    var minimumFrame: Int, maximumFrame: Int
    /// Frames a second.
    var sampleRate: Int
    /// Samples in a frame.
    var channels: Int
    /// Bits in a sample.
    var bitsPerSample: Int
    /// Frames in the file; 0 when not known, as while it is being written.
    var total: Int
    /// The checksum of the samples; all zero when not known.
    var md5: [UInt8]

    /// Takes the block apart. There must be exactly its bytes.
    init(_ bytes: [UInt8]) {
        precondition(bytes.count == Self.byteCount, "a STREAMINFO block has \(Self.byteCount) bytes")
        func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 << 8 | Int($1) } }
        (minimumBlock, maximumBlock) = (number(0..<2), number(2..<4))
        (minimumFrame, maximumFrame) = (number(4..<7), number(7..<10))
        let packed = number(10..<14)
        (sampleRate, channels, bitsPerSample) = (packed >> 12, packed >> 9 & 7 + 1, packed >> 4 & 31 + 1)
        total = number(13..<18) & (1 << 36 - 1)
        md5 = Array(bytes[18...])
    }

    /// The block's bytes.
    var bytes: [UInt8] {
        func bytes(_ number: Int, _ count: Int) -> [UInt8] {
            (0..<count).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        }
        let packed = sampleRate << 44 | (channels - 1) << 41 | (bitsPerSample - 1) << 36 | total
        return bytes(minimumBlock, 2) + bytes(maximumBlock, 2) + bytes(minimumFrame, 3) + bytes(maximumFrame, 3) + bytes(packed, 8) + md5
    }

    /// Whether the file says how long it is and what its samples' checksum is.
    var isFinished: Bool { total > 0 && md5.contains { $0 != 0 } }

    /// The same stream while it is being written: of unknown length, so that a decoder reads to the end of what there is.
    var unfinished: FLACStreamInfo {
        var info = self
        (info.total, info.md5) = (0, [UInt8](repeating: 0, count: 16))
        return info
    }

    /// Bytes that no FLAC frame of this stream exceeds: samples as they are, one bit more for a difference of channels,
    /// and header and footer.
    var largestFrame: Int { 32 + channels * (8 + (maximumBlock * (bitsPerSample + 1) + 7) / 8) }
}
