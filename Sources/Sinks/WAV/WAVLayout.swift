import CallreelCore

/// What a RIFF WAV file says of itself, and what it holds.
///
/// A kill leaves a header that speaks of the last checkpoint, with audio behind what it counts. So the header is
/// believed only as to where the audio begins and what a frame is; how much there is, the file's length says, unless
/// everything behind the counted audio is whole chunks, as in a file that was closed.
struct WAVLayout {
    /// Chunks that may stand before the audio; libsndfile writes three. A file of zeros would have no end of them.
    private static let maximumChunks = 256

    /// Where the file ends now.
    let fileBytes: Int
    /// What the RIFF header says follows it.
    let riffSize: Int
    /// Bytes of a frame.
    let frameBytes: Int
    /// How the samples are kept.
    let encoding: WAVEncoding
    /// Where a `fact` chunk keeps its count of frames, and the count.
    let fact: (offset: Int, frames: Int)?
    /// Where the audio begins; its chunk's size stands in the four bytes before.
    let dataOffset: Int
    /// What the chunk says of the audio's length in bytes.
    let dataSize: Int
    /// The audio's true length in bytes, which is whole frames.
    let dataBytes: Int
    /// Bytes behind the last whole frame that are nothing.
    let bytesCut: Int
    /// Whether the audio's length is odd, and the byte that makes it even is not there.
    let lacksPad: Bool

    /// Reads the header. What is not a WAV file of this format, in an encoding of ours, is an error.
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
                encoding = try Self.encoding(try file.bytes(at: content, count: min(size, 16)), format: format, file: file)
            } else if Self.isNamed(header, "fact"), size >= 4 {
                fact = (content, Self.number(try file.bytes(at: content, count: 4), at: 0))
            }
            position = content + size + size % 2
            chunks += 1
            guard chunks < Self.maximumChunks else { throw file.damaged("no audio among its first \(chunks) chunks") }
        }
        guard let encoding else { throw file.damaged("its header does not say how samples are kept") }
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
        guard end - 8 <= UInt32.max else { throw file.damaged("\(fileBytes) bytes are more than a RIFF header can say") }
    }

    /// Where the file should end.
    var end: Int { fileBytes - bytesCut + (lacksPad ? 1 : 0) }

    /// Frames that the file holds.
    var frames: Int { dataBytes / frameBytes }

    /// Whether only a pad byte or whole chunks stand behind the audio that the header counts.
    private static func isClosed(_ file: StoredFile, audioEnd: Int, hasPad: Bool, riffEnd: Int) throws(SinkError) -> Bool {
        let fileBytes = file.byteCount
        guard audioEnd < fileBytes else { return audioEnd == fileBytes && !hasPad }
        var position = audioEnd + (hasPad ? 1 : 0)
        // One byte more is the pad if the RIFF size counts it, which it does once the file is closed; else it may be a frame.
        if position == fileBytes { return riffEnd == fileBytes }
        for _ in 0..<maximumChunks {
            let header = try file.bytes(at: position, count: 8)
            // Printable names: silence reads as an endless row of empty chunks that are called zero.
            guard header.count == 8, header[..<4].allSatisfy({ 0x20...0x7E ~= $0 }) else { return false }
            let size = number(header, at: 4)
            position += 8 + size + size % 2
            if position >= fileBytes { return position == fileBytes }
        }
        return false
    }

    /// Whether bytes at the start of a file are those of a WAV, as far as they go.
    private static func isBeginning(_ bytes: [UInt8]) -> Bool {
        let model = Array("RIFF....WAVE".utf8)
        return bytes.indices.allSatisfy { 4..<8 ~= $0 || bytes[$0] == model[$0] }
    }

    private static func isNamed(_ header: [UInt8], _ name: String) -> Bool { header[..<4].elementsEqual(name.utf8) }

    /// The encoding that a `fmt ` chunk describes (Multimedia Programming Interface 1.0, IBM and Microsoft, 1991, "Waveform").
    private static func encoding(_ fmt: [UInt8], format: AudioFormat, file: StoredFile) throws(SinkError) -> WAVEncoding {
        guard fmt.count == 16 else { throw file.damaged("its header does not say how samples are kept") }
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
        guard let encoding else { throw file.damaged("WAV format \(tag) with \(bits) bits is not one that Callreel writes") }
        let channels = number(fmt, at: 0) >> 16, rate = number(fmt, at: 4)
        guard channels == format.channels, rate == format.sampleRate else {
            throw file.damaged("\(rate) Hz in \(channels) channels, where the call had \(format)")
        }
        return encoding
    }

    /// Four bytes as a number, the lowest first.
    private static func number(_ bytes: [UInt8], at offset: Int) -> Int {
        bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// A number as four bytes, the lowest first.
    static func bytes(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
}
