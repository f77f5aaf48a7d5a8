import CallreelCore

/// The format and length of an Ogg file with Opus or Vorbis. Read from its pages,
/// without decoding (RFC 3533, section 6).
struct OggStream {
    /// Bytes of a page header before the segment lengths.
    private static let headerBytes = 27
    /// Bytes searched at a time for the last page. No page is longer.
    private static let piece = 1 << 16
    /// The rate in which Opus counts frames, at any input rate (RFC 7845, section 4).
    private static let opusRate = AudioFormat(sampleRate: 48000)

    /// The audio's format. Nil if the file ends before the codec's header.
    let format: AudioFormat?
    /// Frames up to the end of the last whole page.
    let frames: Int

    /// Reads the first page and the last whole one. Returns nil if the file is not Ogg.
    init?(_ file: StoredFile) throws(SinkError) {
        guard try file.bytes(at: 0, count: 4).elementsEqual("OggS".utf8) else { return nil }
        guard let first = try Self.page(in: file, at: 0), let codec = Codec(first.content) else {
            (format, frames) = (nil, 0)
            return
        }
        format = codec.format
        let position = max(0, try Self.lastPosition(in: file) - codec.preSkip)
        frames = codec.isOpus ? codec.format.frames(position, of: Self.opusRate) : position
    }

    /// Returns the codec's frame count at the end of the last whole page on which a packet ends.
    /// Returns 0 if there is no such page.
    private static func lastPosition(in file: StoredFile) throws(SinkError) -> Int {
        var end = file.byteCount
        while end > 0 {
            let start = max(0, end - piece)
            // A page may begin in this piece with only its first letters.
            let bytes = try file.bytes(at: start, count: end - start + 3)
            for offset in bytes.indices.dropLast(3).reversed() where bytes[offset] == UInt8(ascii: "O") {
                guard bytes[offset..<offset + 4].elementsEqual("OggS".utf8),
                    let page = try page(in: file, at: start + offset), page.position >= 0
                else { continue }
                return page.position
            }
            end = start
        }
        return 0
    }

    /// Returns the page at an offset, or nil if its checksum is wrong.
    private static func page(in file: StoredFile, at offset: Int) throws(SinkError) -> (
        position: Int, content: ArraySlice<UInt8>
    )? {
        let header = try file.bytes(at: offset, count: headerBytes + 255)
        guard header.count >= headerBytes, header.count >= headerBytes + Int(header[26]) else { return nil }
        let content = headerBytes + Int(header[26])
        let count = header[headerBytes..<content].reduce(content) { $0 + Int($1) }
        var bytes = try file.bytes(at: offset, count: count)
        guard bytes.count == count else { return nil }
        let checksum = number(bytes[22..<26])
        for index in 22..<26 { bytes[index] = 0 }
        guard UInt64(crc32(bytes)) == checksum else { return nil }
        return (Int(truncatingIfNeeded: number(bytes[6..<14])), bytes[content...])
    }

    fileprivate static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The checksum of a page, by the polynomial 0x04C11DB7.
    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        bytes.reduce(0) { sum, byte in sum << 8 ^ checksums[Int(UInt8(sum >> 24) ^ byte)] }
    }

    private static let checksums: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte) << 24) { value, _ in
            value & 0x8000_0000 == 0 ? value << 1 : value << 1 ^ 0x04C1_1DB7
        }
    }
}

/// The codec and format stated by a stream's first page (RFC 7845, section 5.1; Vorbis I, section 4.2.2).
private struct Codec {
    let isOpus: Bool
    /// Frames to drop at the beginning of the decoded audio.
    let preSkip: Int
    let format: AudioFormat

    init?(_ content: ArraySlice<UInt8>) {
        func number(_ offset: Int, _ count: Int) -> Int {
            Int(OggStream.number(content[content.startIndex + offset..<content.startIndex + offset + count]))
        }
        let isOpus = content.count >= 19 && content.starts(with: "OpusHead".utf8)
        guard isOpus || content.count >= 16 && content.starts(with: [1] + Array("vorbis".utf8)) else { return nil }
        let channels = isOpus ? number(9, 1) : number(11, 1), rate = number(12, 4)
        guard let format = AudioFormat(checking: rate, channels: channels) else { return nil }
        self.isOpus = isOpus
        preSkip = isOpus ? number(10, 2) : 0
        self.format = format
    }
}
