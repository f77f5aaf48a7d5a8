/// The STREAMINFO block of a FLAC file (RFC 9639, section 8.2): the properties of the whole stream.
struct FLACStreamInfo: Equatable {
    /// Bytes of the block without its header.
    static let byteCount = 34
    /// Offset of the block's content, after `fLaC` and the block's header. STREAMINFO is always the first block.
    static let offset = 8

    /// Frames in the smallest block, not counting the last, and in the largest.
    var minimumBlock: Int, maximumBlock: Int
    /// Bytes of the smallest and of the largest FLAC frame. 0 means unknown.
    var minimumFrame: Int, maximumFrame: Int
    /// Frames a second.
    var sampleRate: Int
    /// Samples in a frame.
    var channels: Int
    /// Bits in a sample.
    var bitsPerSample: Int
    /// Frames in the file. 0 means unknown, as while the file is being written.
    var total: Int
    /// The MD5 checksum of the samples. All zeros mean unknown.
    var md5: [UInt8]

    /// Parses the block. The array must hold exactly its bytes.
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
        return bytes(minimumBlock, 2) + bytes(maximumBlock, 2) + bytes(minimumFrame, 3) + bytes(maximumFrame, 3)
            + bytes(packed, 8) + md5
    }

    /// True when the file states its length and the checksum of its samples.
    var isFinished: Bool { total > 0 && md5.contains { $0 != 0 } }

    /// The same stream with an unknown length and checksum, as while it is being written.
    /// Decoders then read to the end of the file.
    var unfinished: FLACStreamInfo {
        var info = self
        (info.total, info.md5) = (0, [UInt8](repeating: 0, count: 16))
        return info
    }

    /// An upper bound for the bytes of a FLAC frame of this stream. It counts uncompressed samples,
    /// one bit more for a difference of channels, and the header and footer.
    var largestFrame: Int { 32 + channels * (8 + (maximumBlock * (bitsPerSample + 1) + 7) / 8) }
}
