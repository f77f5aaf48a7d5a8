import CallreelCore

/// The sizes stated by a RIFF WAV file, and its true length.
///
/// After a kill, the header states the length at the last checkpoint, and more audio follows.
/// The header is therefore trusted only for the start of the audio and the frame size.
/// The number of frames follows from the file's length. The exception is a closed file,
/// with only whole chunks after the counted audio.
struct WAVLayout {
    /// The most chunks accepted before the audio; libsndfile writes three.
    /// The limit ends the search in a file of zeros.
    private static let maximumChunks = 256

    /// The file's length.
    let fileBytes: Int
    /// The size stated by the RIFF header, counted from byte 8.
    let riffSize: Int
    /// Bytes of a frame.
    let frameBytes: Int
    /// The sample encoding.
    let encoding: WAVEncoding
    /// Offset of the frame count in a `fact` chunk, and the count. Nil without such a chunk.
    let fact: (offset: Int, frames: Int)?
    /// Offset of the audio. The four bytes before it hold the size of its chunk.
    let dataOffset: Int
    /// Bytes of audio stated by the audio chunk.
    let dataSize: Int
    /// The audio's true length in bytes, a whole number of frames.
    let dataBytes: Int
    /// Bytes after the last whole frame, to be cut.
    let bytesCut: Int
    /// True when the audio's length is odd and the pad byte is missing.
    let lacksPad: Bool

    /// Reads the header.
    /// - Throws: an error if the file is not WAV in this format and in an encoding that Callreel writes.
    init(_ file: StoredFile, format: AudioFormat) throws(SinkError) {
        fileBytes = file.byteCount
        let riff = try file.bytes(at: 0, count: 12)
        guard Self.isBeginning(riff) else { throw file.damaged("not a RIFF WAVE file") }
        let incomplete = file.withoutAudio("its header is not complete")
        guard riff.count == 12 else { throw incomplete }
        riffSize = Self.number(riff, at: 4)

        var position = 12, chunks = 0
        var encoding: WAVEncoding?, fact: (offset: Int, frames: Int)?
        while true {
            let header = try file.bytes(at: position, count: 8)
            guard header.count == 8 else { throw incomplete }
            let size = Self.number(header, at: 4), content = position + 8
            if Self.isNamed(header, "data") {
                dataOffset = content
                dataSize = size
                break
            }
            guard content + size <= fileBytes else { throw incomplete }
            if Self.isNamed(header, "fmt ") {
                encoding = try Self.encoding(
                    try file.bytes(at: content, count: min(size, 16)), format: format, file: file)
            } else if Self.isNamed(header, "fact"), size >= 4 {
                fact = (content, Self.number(try file.bytes(at: content, count: 4), at: 0))
            }
            position = content + size + size % 2
            chunks += 1
            guard chunks < Self.maximumChunks else { throw file.damaged("no audio among its first \(chunks) chunks") }
        }
        guard let encoding else { throw file.damaged("its header does not state the samples' encoding") }
        self.encoding = encoding
        self.fact = fact
        frameBytes = encoding.bytesPerSample * format.channels

        let available = fileBytes - dataOffset
        var isClosed = dataSize.isMultiple(of: frameBytes)
        if isClosed {
            isClosed = try Self.isClosed(
                file, audioEnd: dataOffset + dataSize, hasPad: !dataSize.isMultiple(of: 2), riffEnd: riffSize + 8)
        }
        bytesCut = isClosed ? 0 : available % frameBytes
        dataBytes = isClosed ? dataSize : available - bytesCut
        lacksPad = !isClosed && !dataBytes.isMultiple(of: 2)
        guard end - 8 <= UInt32.max else {
            throw file.damaged("\(fileBytes) bytes are more than a RIFF header can state")
        }
    }

    /// The file's length after a repair.
    var end: Int { fileBytes - bytesCut + (lacksPad ? 1 : 0) }

    /// Frames in the file.
    var frames: Int { dataBytes / frameBytes }

    /// Returns true if only a pad byte or whole chunks follow the audio counted by the header.
    private static func isClosed(_ file: StoredFile, audioEnd: Int, hasPad: Bool, riffEnd: Int) throws(SinkError)
        -> Bool
    {
        let fileBytes = file.byteCount
        guard audioEnd < fileBytes else { return audioEnd == fileBytes && !hasPad }
        var position = audioEnd + (hasPad ? 1 : 0)
        // One more byte is the pad if the RIFF size counts it, as in a closed file. Otherwise it may belong to a frame.
        if position == fileBytes { return riffEnd == fileBytes }
        for _ in 0..<maximumChunks {
            let header = try file.bytes(at: position, count: 8)
            // Names must be printable: silence looks like an endless row of empty chunks with zeros as their names.
            guard header.count == 8, header[..<4].allSatisfy({ 0x20...0x7E ~= $0 }) else { return false }
            let size = number(header, at: 4)
            position += 8 + size + size % 2
            if position >= fileBytes { return position == fileBytes }
        }
        return false
    }

    /// Returns true if a file's first bytes match a WAV header, as far as they go.
    private static func isBeginning(_ bytes: [UInt8]) -> Bool {
        let model = Array("RIFF....WAVE".utf8)
        return bytes.indices.allSatisfy { 4..<8 ~= $0 || bytes[$0] == model[$0] }
    }

    private static func isNamed(_ header: [UInt8], _ name: String) -> Bool { header[..<4].elementsEqual(name.utf8) }

    /// Returns the encoding described by a `fmt ` chunk (Multimedia Programming Interface 1.0,
    /// IBM and Microsoft, 1991, "Waveform").
    private static func encoding(_ fmt: [UInt8], format: AudioFormat, file: StoredFile) throws(SinkError) -> WAVEncoding
    {
        guard fmt.count == 16 else { throw file.damaged("its header does not state the samples' encoding") }
        let tag = number(fmt, at: 0) & 0xFFFF, bits = number(fmt, at: 12) >> 16
        let encoding: WAVEncoding? =
            switch (tag, bits) {
            case (1, 16): .pcm16
            case (1, 24): .pcm24
            case (3, 32): .float
            case (6, 8): .alaw
            case (7, 8): .ulaw
            default: nil
            }
        guard let encoding else {
            throw file.damaged("WAV format \(tag) with \(bits) bits is not one that Callreel writes")
        }
        let channels = number(fmt, at: 0) >> 16, rate = number(fmt, at: 4)
        guard channels == format.channels, rate == format.sampleRate else {
            throw file.damaged("\(rate) Hz in \(channels) channels, but the call had \(format)")
        }
        return encoding
    }

    /// Returns four bytes as a number, the lowest first.
    private static func number(_ bytes: [UInt8], at offset: Int) -> Int {
        bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// Returns a number as four bytes, the lowest first.
    static func bytes(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
}
