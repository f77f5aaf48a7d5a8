import CallreelCore

/// How far an Ogg file has come, by its last page (RFC 3533, section 6).
struct OggPages {
    /// The longest that a page can be: its header, 255 lengths, and as many segments of 255 bytes.
    private static let maximumBytes = 27 + 255 + 255 * 255
    /// Where the position stands in a page, behind the capture pattern, the version and the flags.
    private static let positionOffset = 6

    /// The codec's count at the end of the last page whose header is there; 0 while only the codec's own headers are, and negative
    /// where no packet ends on that page.
    let lastPosition: Int

    /// Looks at the last page; nil when the file is not Ogg.
    init?(_ file: StoredFile) throws(SinkError) {
        guard try file.bytes(at: 0, count: 4).elementsEqual("OggS".utf8) else { return nil }
        // Two pages, so that a torn one at the end does not hide the one before.
        let start = max(0, file.byteCount - 2 * Self.maximumBytes)
        let bytes = try file.bytes(at: start, count: file.byteCount - start)
        let headerEnd = Self.positionOffset + 8
        var last = 0
        for offset in stride(from: bytes.count - headerEnd, through: 0, by: -1) where bytes[offset..<offset + 4].elementsEqual("OggS".utf8) {
            let position = bytes[offset + Self.positionOffset..<offset + headerEnd].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            last = Int(truncatingIfNeeded: position)
            if last >= 0 { break }
        }
        lastPosition = last
    }
}
