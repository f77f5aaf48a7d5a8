import CallreelCore

/// The places in a sound file's header that say how long it is.
struct SoundFileSizes {
    /// A number in the header that follows from the length of the audio.
    struct Field {
        /// What the number counts.
        enum Meaning {
            /// Bytes of audio, and so many that belong to it.
            case audio(Int)
            case frames
            /// The file's bytes, but for so many at its beginning.
            case file(Int)
        }

        let offset: Int
        let width: Int
        let isBigEndian: Bool
        let meaning: Meaning
        /// What stands there.
        let found: [UInt8]

        /// What should stand there.
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

        /// The number that stands there.
        var number: UInt64 { SoundFileSizes.number(found, isBigEndian: isBigEndian) }
    }

    /// Chunks that may stand before the audio; libsndfile writes six. A file of zeros would have no end of them.
    private static let maximumChunks = 256

    let container: SoundKind.Container
    /// Where the audio begins.
    let dataOffset: Int
    /// Whether a byte follows audio of an odd length.
    let hasPad: Bool
    /// The numbers, in the order in which they are put right: the outermost last.
    let fields: [Field]

    /// Bytes of audio that the header counts; 0 where what it says can be no length.
    var statedBytes: Int {
        for field in fields {
            if case .audio(let more) = field.meaning { return max(0, (Int(exactly: field.number) ?? more) - more) }
        }
        return 0
    }

    /// Whether the header says that nobody knows the length: a size of all ones.
    var isUnknown: Bool {
        fields.contains { field in if case .audio = field.meaning { field.found.allSatisfy { $0 == 0xFF } } else { false } }
    }

    /// Whether the outermost size says that the file ends here.
    func statesEnd(_ end: Int) -> Bool {
        fields.contains { field in
            if case .file(let less) = field.meaning { field.number == UInt64(max(0, end - less)) } else { false }
        }
    }

    /// Whether so many bytes can be counted.
    func canState(_ dataBytes: Int) -> Bool {
        fields.allSatisfy { $0.width == 8 || dataOffset + dataBytes + 8 <= UInt32.max }
    }

    /// Reads a header up to its audio; nil when it is none of those, or not complete.
    init?(_ file: StoredFile) throws(SinkError) {
        let beginning = try file.bytes(at: 0, count: 40)
        guard beginning.count >= 24 else {
            guard Self.names.contains(where: { beginning.prefix(4).elementsEqual($0.utf8.prefix(beginning.count)) }) else { return nil }
            throw file.withoutAudio("its header is not complete")
        }
        let chunks: Chunks
        switch String(decoding: beginning[..<4], as: UTF8.self) {
        case ".snd":
            // Sun's header is of fixed places, and says itself where it ends.
            container = .au
            hasPad = false
            dataOffset = Int(Self.number(Array(beginning[4..<8]), isBigEndian: true))
            guard 24...file.byteCount ~= dataOffset else { throw file.withoutAudio("its header is not complete") }
            fields = [Field(offset: 8, width: 4, isBigEndian: true, meaning: .audio(0), found: Array(beginning[8..<12]))]
            return
        case "FORM": chunks = Chunks(container: .aiff, start: 12, nameBytes: 4, sizeBytes: 4, isBigEndian: true, audio: "SSND", audioHeader: 8)
        case "caff": chunks = Chunks(container: .caf, start: 8, nameBytes: 4, sizeBytes: 8, isBigEndian: true, audio: "data", audioHeader: 4)
        case "RF64": chunks = Chunks(container: .rf64, start: 12, nameBytes: 4, sizeBytes: 4, isBigEndian: false, audio: "data", audioHeader: 0)
        case "riff": chunks = Chunks(container: .w64, start: 40, nameBytes: 16, sizeBytes: 8, isBigEndian: false, audio: "data", audioHeader: 0)
        default: return nil
        }
        container = chunks.container
        hasPad = container == .aiff || container == .rf64
        (dataOffset, fields) = try chunks.walk(file, limit: Self.maximumChunks)
    }

    /// How such files begin.
    private static let names = [".snd", "FORM", "caff", "RF64", "riff"]

    fileprivate static func number(_ bytes: [UInt8], isBigEndian: Bool) -> UInt64 {
        (isBigEndian ? bytes : bytes.reversed()).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// A header that is a row of chunks, each with a name and a size.
private struct Chunks {
    let container: SoundKind.Container
    /// Where the first stands.
    let start: Int
    let nameBytes: Int
    let sizeBytes: Int
    let isBigEndian: Bool
    /// The beginning of the name of the chunk with the audio.
    let audio: String
    /// Bytes in that chunk before the audio.
    let audioHeader: Int

    /// Finds the audio, and the sizes on the way.
    func walk(_ file: StoredFile, limit: Int) throws(SinkError) -> (dataOffset: Int, fields: [SoundFileSizes.Field]) {
        let incomplete = file.withoutAudio("its header is not complete")
        var fields: [SoundFileSizes.Field] = []
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
                // EBU Tech 3306: in RF64 the chunk's own size is all ones, and the true one stands in `ds64`.
                let more = audioHeader + (container == .w64 ? header.count : 0)
                if container != .rf64 { try note(content - sizeBytes, sizeBytes, .audio(more)) }
                switch container {
                case .aiff: try note(4, 4, .file(8))
                case .w64: try note(16, 8, .file(0))
                default: break
                }
                return (content + audioHeader, Self.ordered(fields))
            case (.aiff, "COMM"): try note(content + 2, 4, .frames)
            case (.w64, "fact"): try note(content, 8, .frames)
            case (.rf64, "ds64"):
                try note(content + 16, 8, .frames)
                try note(content + 8, 8, .audio(0))
                try note(content, 8, .file(8))
            default: break
            }
            // Wave64 counts its header in, and begins chunks at multiples of eight; the others but CAF at even places.
            let length = container == .w64 ? Int(exactly: size).map { $0 - header.count } : Int(exactly: size)
            guard let length, 0..<file.byteCount ~= length else { throw incomplete }
            let step = container == .w64 ? 8 : container == .caf ? 1 : 2
            position = (content + length + step - 1) / step * step
        }
        throw file.damaged("no audio among its first \(limit) chunks")
    }

    /// The outermost size last.
    private static func ordered(_ fields: [SoundFileSizes.Field]) -> [SoundFileSizes.Field] {
        func isOutermost(_ field: SoundFileSizes.Field) -> Bool { if case .file = field.meaning { true } else { false } }
        return fields.filter { !isOutermost($0) } + fields.filter(isOutermost)
    }
}
