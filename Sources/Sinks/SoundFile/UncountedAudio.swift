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
        let beginning = try file.bytes(at: 0, count: 12)
        guard beginning.count == 12 else { return nil }
        let found: (dataOffset: Int, stated: Int, patches: [CodecInput.Patch])?
        if beginning.starts(with: "RIFF".utf8), beginning[8...].elementsEqual("WAVE".utf8) {
            found = try Self.wave(file)
        } else {
            found = try Self.other(file)
        }
        guard let found else { return nil }
        let available = file.byteCount - found.dataOffset
        if found.stated > available {
            if found.stated >= Self.unknownSize { return nil }
            note = "its header states \(found.stated) bytes of audio, but \(available) are there"
            patches = []
        } else {
            note =
                "its header states \(found.stated) bytes of audio, but \(available) are there: it was not closed. "
                + "All bytes are read"
            patches = found.patches
        }
    }

    /// Examines a WAV file with any kind of samples (Multimedia Programming Interface 1.0, IBM and Microsoft, 1991).
    private static func wave(_ file: StoredFile) throws(SinkError) -> (
        dataOffset: Int, stated: Int, patches: [CodecInput.Patch]
    )? {
        var position = 12
        for _ in 0..<maximumChunks {
            let header = try file.bytes(at: position, count: 8)
            guard header.count == 8 else { return nil }
            let size = number(header[4...]), content = position + 8
            guard header[..<4].elementsEqual("data".utf8) else {
                position = content + size + size % 2
                continue
            }
            if try isClosed(file, audioEnd: content + size) { return nil }
            if try isTagged(file, from: content + size) { return nil }
            // If there is more audio than a size can state, the library reads to the end by itself.
            let end = min(file.byteCount, Int(UInt32.max))
            let patches = [
                CodecInput.Patch(offset: 4, bytes: WAVLayout.bytes(end - 8)),
                CodecInput.Patch(offset: position + 4, bytes: WAVLayout.bytes(end - content)),
            ]
            return (content, size, patches)
        }
        return nil
    }

    /// Returns true if only whole chunks and a pad byte follow the audio.
    private static func isClosed(_ file: StoredFile, audioEnd: Int) throws(SinkError) -> Bool {
        var position = audioEnd
        for _ in 0..<maximumChunks {
            // A single byte is the pad, or has no meaning.
            if position == file.byteCount || position + 1 == file.byteCount { return true }
            guard position < file.byteCount else { return false }
            position += position % 2
            let header = try file.bytes(at: position, count: 8)
            // Names must be printable: silence looks like an endless row of empty chunks with zeros as their names.
            guard header.count == 8, header[..<4].allSatisfy({ 0x20...0x7E ~= $0 }) else { return false }
            position += 8 + number(header[4...])
        }
        return false
    }

    /// Returns true if an ID3v1 tag follows the audio: 128 bytes that begin with `TAG`, as in MP3 files.
    private static func isTagged(_ file: StoredFile, from audioEnd: Int) throws(SinkError) -> Bool {
        let rest = file.byteCount - audioEnd
        guard (128...129).contains(rest) else { return false }
        return try file.bytes(at: file.byteCount - 128, count: 3).elementsEqual("TAG".utf8)
    }

    /// Examines a CAF, AIFF, Wave64, RF64 or AU file.
    private static func other(_ file: StoredFile) throws(SinkError) -> (
        dataOffset: Int, stated: Int, patches: [CodecInput.Patch]
    )? {
        // Other damage is left to the library to report.
        guard let sizes = try? SoundFileSizes(file), !sizes.statesEnd(file.byteCount) else { return nil }
        let available = file.byteCount - sizes.dataOffset, stated = sizes.statedBytes
        if stated == available || sizes.isUnknown { return nil }
        // A CAF has no outermost size, and its chunks may stand in any order.
        if sizes.container == .caf, try hasWholeChunks(file, from: sizes.dataOffset + stated) { return nil }
        let patches = sizes.fields.compactMap { field -> CodecInput.Patch? in
            // The library computes the number of frames from the bytes.
            if case .frames = field.meaning { return nil }
            return CodecInput.Patch(
                offset: field.offset, bytes: field.bytes(sizes.dataOffset, available, 0, file.byteCount))
        }
        return (sizes.dataOffset, stated, patches)
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

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reversed().reduce(0) { $0 << 8 | Int($1) } }
}
