import CallreelCore

/// The sizes and lengths in a sound file's header.
///
/// WAV is that of Multimedia Programming Interface 1.0 (IBM and Microsoft, 1991).
struct SoundFileSizes {
    /// A number in the header, computed from the length of the audio.
    struct Field {
        /// The quantity counted by the number.
        enum Meaning {
            /// Bytes of audio, plus a constant.
            case audio(Int)
            case frames
            /// Bytes of the file, less a constant number at its beginning.
            case file(Int)
        }

        let offset: Int
        let width: Int
        let isBigEndian: Bool
        let meaning: Meaning
        /// The bytes read from the header.
        let found: [UInt8]

        /// Returns the correct bytes for a length.
        func bytes(_ dataOffset: Int, _ dataBytes: Int, _ frames: Int, _ end: Int) -> [UInt8] {
            let number =
                switch meaning {
                case .audio(let more): dataBytes + more
                case .frames: frames
                case .file(let less): end - less
                }
            let bytes = (0..<width).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
            return isBigEndian ? bytes.reversed() : bytes
        }

        /// The number read from the header.
        var number: UInt64 { SoundFileSizes.number(found, isBigEndian: isBigEndian) }
    }

    /// The most chunks accepted before the audio; libsndfile writes six. The limit ends the search in a file of zeros.
    private static let maximumChunks = 256

    let container: SoundKind.Container
    /// Offset of the audio.
    let dataOffset: Int
    /// True when audio of an odd length is followed by a pad byte.
    let hasPad: Bool
    /// The numbers, in the order of their correction: the outermost size last.
    let fields: [Field]

    /// The largest number of bytes taken from a header: a petabyte. Sums with it do not overflow.
    private static let byteLimit: UInt64 = 1 << 50

    /// Bytes of audio that the header counts. 0 if the number cannot be a length.
    var statedBytes: Int {
        for field in fields {
            if case .audio(let more) = field.meaning {
                return max(0, (field.number <= Self.byteLimit ? Int(field.number) : more) - more)
            }
        }
        return 0
    }

    /// True when the header marks the length as unknown, by a size of all ones.
    var isUnknown: Bool {
        fields.contains { field in
            if case .audio = field.meaning { field.found.allSatisfy { $0 == 0xFF } } else { false }
        }
    }

    /// Returns true if the outermost size matches this file length.
    func statesEnd(_ end: Int) -> Bool {
        fields.contains { field in
            if case .file(let less) = field.meaning { field.number == UInt64(max(0, end - less)) } else { false }
        }
    }

    /// Returns true if only whole chunks follow the audio that the header of a WAV counts, and at least one does.
    /// - Parameter slack: bytes that may be missing or too many at the end.
    func hasChunksAfterAudio(_ file: StoredFile, slack: Int = 0) throws(SinkError) -> Bool {
        guard container == .wav else { return false }
        var position = dataOffset + statedBytes + statedBytes % 2
        for _ in 0..<Self.maximumChunks {
            let header = try file.bytes(at: position, count: 8)
            // Names must be printable: silence looks like an endless row of empty chunks with zeros as their names.
            guard header.count == 8, header[..<4].allSatisfy({ 0x20...0x7E ~= $0 }) else { return false }
            let size = Int(Self.number(Array(header[4...]), isBigEndian: false))
            position += 8 + size + size % 2
            if abs(position - file.byteCount) <= slack { return true }
        }
        return false
    }

    /// Returns true if the header's sizes can count so many bytes of audio.
    func canState(_ dataBytes: Int) -> Bool {
        fields.allSatisfy { $0.width == 8 || dataOffset + dataBytes + 8 <= UInt32.max }
    }

    /// Reads a header up to the audio. Returns nil if the file is none of these kinds.
    /// - Parameter containers: the containers to accept.
    /// - Throws: an error if the header is not complete.
    init?(_ file: StoredFile, of containers: [SoundKind.Container] = Array(Self.names.keys)) throws(SinkError) {
        let beginning = try file.bytes(at: 0, count: 40)
        let isKnown = containers.contains { Self.isBeginning(beginning, of: $0) }
        guard isKnown else { return nil }
        guard beginning.count >= 24 else { throw file.withoutAudio("its header is not complete") }
        let chunks: Chunks
        switch String(decoding: beginning[..<4], as: UTF8.self) {
        case ".snd":
            // Sun's header has fixed fields and states its own length.
            container = .au
            hasPad = false
            dataOffset = Int(Self.number(Array(beginning[4..<8]), isBigEndian: true))
            guard 24...file.byteCount ~= dataOffset else { throw file.withoutAudio("its header is not complete") }
            fields = [
                Field(offset: 8, width: 4, isBigEndian: true, meaning: .audio(0), found: Array(beginning[8..<12]))
            ]
            return
        case "FORM":
            chunks = Chunks(
                container: .aiff, start: 12, header: .init(nameBytes: 4, sizeBytes: 4, isBigEndian: true),
                audio: "SSND", audioHeader: 8)
        case "caff":
            chunks = Chunks(
                container: .caf, start: 8, header: .init(nameBytes: 4, sizeBytes: 8, isBigEndian: true), audio: "data",
                audioHeader: 4)
        case "RIFF", "RF64":
            chunks = Chunks(
                container: beginning[1] == UInt8(ascii: "I") ? .wav : .rf64, start: 12,
                header: .init(nameBytes: 4, sizeBytes: 4, isBigEndian: false),
                audio: "data", audioHeader: 0)
        case "riff":
            chunks = Chunks(
                container: .w64, start: 40, header: .init(nameBytes: 16, sizeBytes: 8, isBigEndian: false),
                audio: "data", audioHeader: 0)
        default: return nil
        }
        container = chunks.container
        hasPad = container == .aiff || container == .rf64 || container == .wav
        (dataOffset, fields) = try chunks.walk(file, limit: Self.maximumChunks)
    }

    /// The first bytes of such files. A dot stands for any byte.
    private static let names: [SoundKind.Container: String] = [
        .wav: "RIFF....WAVE", .au: ".snd", .aiff: "FORM", .caf: "caff", .rf64: "RF64", .w64: "riff",
    ]

    /// Returns true if a file's first bytes are those of a container, as far as they go.
    private static func isBeginning(_ bytes: [UInt8], of container: SoundKind.Container) -> Bool {
        guard let name = names[container] else { return false }
        // Sun's magic number begins with a dot of its own.
        return zip(bytes, name.utf8).enumerated().allSatisfy { index, pair in
            pair.0 == pair.1 || pair.1 == UInt8(ascii: ".") && index > 0
        }
    }

    fileprivate static func number(_ bytes: [UInt8], isBigEndian: Bool) -> UInt64 {
        (isBigEndian ? bytes : bytes.reversed()).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// A header made of chunks, each with a name and a size.
private struct Chunks {
    /// The shape of a chunk's header.
    struct Header {
        let nameBytes: Int
        let sizeBytes: Int
        let isBigEndian: Bool
    }

    let container: SoundKind.Container
    /// Offset of the first chunk.
    let start: Int
    let header: Header
    /// The first four characters of the audio chunk's name.
    let audio: String
    /// Bytes in the audio chunk before the audio.
    let audioHeader: Int

    /// Finds the audio, and collects the sizes before it.
    func walk(_ file: StoredFile, limit: Int) throws(SinkError) -> (dataOffset: Int, fields: [SoundFileSizes.Field]) {
        let incomplete = file.withoutAudio("its header is not complete")
        var fields: [SoundFileSizes.Field] = []
        let nameBytes = header.nameBytes, sizeBytes = header.sizeBytes, isBigEndian = header.isBigEndian
        func note(_ offset: Int, _ width: Int, _ meaning: SoundFileSizes.Field.Meaning) throws(SinkError) {
            let found = try file.bytes(at: offset, count: width)
            guard found.count == width else { throw incomplete }
            fields.append(.init(offset: offset, width: width, isBigEndian: isBigEndian, meaning: meaning, found: found))
        }
        var position = start
        for _ in 0..<limit {
            let header = try file.bytes(at: position, count: nameBytes + sizeBytes)
            guard header.count == nameBytes + sizeBytes else { throw incomplete }
            let name = String(decoding: header[..<4], as: UTF8.self), content = position + header.count
            let size = SoundFileSizes.number(Array(header[nameBytes...]), isBigEndian: isBigEndian)
            switch (container, name) {
            case (_, audio):
                guard content + audioHeader <= file.byteCount else { throw incomplete }
                // EBU Tech 3306: in RF64 the audio chunk's own size is all ones; `ds64` holds the true one.
                let more = audioHeader + (container == .w64 ? header.count : 0)
                if container != .rf64 { try note(content - sizeBytes, sizeBytes, .audio(more)) }
                switch container {
                case .aiff, .wav: try note(4, 4, .file(8))
                case .w64: try note(16, 8, .file(0))
                default: break
                }
                return (content + audioHeader, Self.ordered(fields))
            case (.aiff, "COMM"): try note(content + 2, 4, .frames)
            case (.wav, "fact") where size >= 4: try note(content, 4, .frames)
            case (.w64, "fact"): try note(content, 8, .frames)
            case (.rf64, "ds64"):
                try note(content + 16, 8, .frames)
                try note(content + 8, 8, .audio(0))
                try note(content, 8, .file(8))
            default: break
            }
            // Wave64 sizes include the chunk's header, and its chunks begin at multiples of eight.
            // The others begin at even offsets, except in CAF.
            let length = container == .w64 ? Int(exactly: size).map { $0 - header.count } : Int(exactly: size)
            guard let length, 0..<file.byteCount ~= length else { throw incomplete }
            let step = container == .w64 ? 8 : container == .caf ? 1 : 2
            position = (content + length + step - 1) / step * step
        }
        throw file.damaged("no audio among its first \(limit) chunks")
    }

    /// Sorts the outermost size to the end.
    private static func ordered(_ fields: [SoundFileSizes.Field]) -> [SoundFileSizes.Field] {
        func isOutermost(_ field: SoundFileSizes.Field) -> Bool {
            if case .file = field.meaning { true } else { false }
        }
        return fields.filter { !isOutermost($0) } + fields.filter(isOutermost)
    }
}
