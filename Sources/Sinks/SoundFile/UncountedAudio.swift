import CallreelCore

/// A difference between the audio counted by a sound file's header and the audio in the file.
/// Its recorder died, or a part of the file is missing.
struct UncountedAudio {
    /// Corrected sizes for the header. Empty if the library reads the audio in the file without them.
    let patches: [CodecInput.Patch]
    /// The difference, in words.
    let note: String

    private static let maximumChunks = 256
    /// Sizes from here on mean an unknown length: programs write all ones, or the greatest signed number.
    private static let unknownSize = 0x7FFF_F000

    /// Compares a file's header with its length. Returns nil if they agree, or if the file's kind states no length.
    init?(_ file: StoredFile) throws(SinkError) {
        // Other damage is left to the library to report.
        guard let sizes = try? SoundFileSizes(file) else { return nil }
        try self.init(file, sizes)
    }

    /// Compares a header that was read with the file's length. Returns nil if they agree, or if no length is stated.
    init?(_ file: StoredFile, _ sizes: SoundFileSizes) throws(SinkError) {
        if try Self.isClosed(file, sizes) { return nil }
        let available = file.byteCount - sizes.dataOffset, stated = sizes.statedBytes
        if stated > available, stated >= Self.unknownSize { return nil }
        let difference = "its header states \(stated) bytes of audio, but \(available) are there"
        if stated > available {
            note = difference
            patches = []
            return
        }
        note = difference + ": it was not closed. All bytes are read"
        // If there is more audio than a size can state, the library reads to the end by itself.
        let end = sizes.fields.allSatisfy { $0.width == 8 } ? file.byteCount : min(file.byteCount, Int(UInt32.max))
        patches = sizes.fields.compactMap { field in
            // The library computes the number of frames from the bytes.
            if case .frames = field.meaning { return nil }
            return CodecInput.Patch(
                offset: field.offset, bytes: field.bytes(sizes.dataOffset, end - sizes.dataOffset, 0, end))
        }
    }

    /// Returns true if the header counts all of the audio, or states no length.
    private static func isClosed(_ file: StoredFile, _ sizes: SoundFileSizes) throws(SinkError) -> Bool {
        let stated = sizes.statedBytes, rest = file.byteCount - sizes.dataOffset - stated
        switch sizes.container {
        case .wav:
            // A single byte is the pad, or has no meaning.
            if rest == 0 || rest == 1 { return true }
            if try sizes.hasChunksAfterAudio(file, slack: 1) { return true }
            return try isTagged(file, rest)
        // A CAF has no outermost size, and its chunks may stand in any order.
        case .caf: if try hasWholeChunks(file, from: sizes.dataOffset + stated) { return true }
        default: break
        }
        return rest == 0 || sizes.isUnknown || sizes.statesEnd(file.byteCount)
    }

    /// Returns true if an ID3v1 tag follows the audio: 128 bytes that begin with `TAG`, as in MP3 files.
    private static func isTagged(_ file: StoredFile, _ rest: Int) throws(SinkError) -> Bool {
        guard (128...129).contains(rest) else { return false }
        return try file.bytes(at: file.byteCount - 128, count: 3).elementsEqual("TAG".utf8)
    }

    /// Returns true if only whole chunks follow an offset in a CAF: a name, eight bytes of size,
    /// and the content (CAF Specification 1.0).
    private static func hasWholeChunks(_ file: StoredFile, from start: Int) throws(SinkError) -> Bool {
        var position = start
        for _ in 0..<maximumChunks where position < file.byteCount {
            let header = try file.bytes(at: position, count: 12)
            guard header.count == 12, header[..<4].allSatisfy({ 0x20...0x7E ~= $0 }) else { return false }
            let size = header[4...].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard size <= UInt64(file.byteCount) else { return false }
            position += 12 + Int(size)
        }
        return position == file.byteCount
    }
}
