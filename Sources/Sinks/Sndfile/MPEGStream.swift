import CallreelCore

/// The format and length of an MP3 file written by this sink. Read from the MPEG frame headers,
/// without decoding (ISO/IEC 11172-3, 2.4.1, and 13818-3, 2.4.2).
///
/// An MPEG frame is a block of audio frames. The first MPEG frame carries LAME's tag.
/// The tag states the number of MPEG frames in the file, and the audio frames added by the encoder.
/// LAME fills the tag in at the end of the call; in a file left by a killed process it is empty.
struct MPEGStream {
    /// Delay of an MP3 decoder in frames. LAME's tag does not count these frames in its delay.
    private static let decoderDelay = 529
    /// Frames that LAME itself puts before a stream.
    private static let encoderDelay = 576
    /// Bytes of the ID3v1 tag that may follow the audio, for other programs.
    private static let endTagBytes = 128

    /// The audio's format.
    let format: AudioFormat
    /// Frames of the call.
    let frames: Int
    /// Frames that a decoder returns before the call's first frame. 0 if the file has LAME's tag,
    /// because decoders then drop those frames.
    let lead: Int

    /// Reads the headers of a file. Returns nil if there is no MPEG frame of layer III.
    init?(_ file: StoredFile) throws(SinkError) {
        let start = try Self.frontTagBytes(file)
        let bytes = try file.bytes(at: start, count: 256)
        guard let first = MPEGFrameHeader(bytes[...]),
            let format = AudioFormat(checking: first.sampleRate, channels: first.channels)
        else { return nil }
        self.format = format
        guard let tag = LAMETag(bytes[first.tagOffset...]) else {
            // A decoder plays the empty frame as silence, then the frames that the encoder put before the call.
            lead = first.samples + Self.encoderDelay + Self.decoderDelay
            frames = max(0, try Self.wholeFrames(file, from: start) * first.samples - lead)
            return
        }
        lead = 0
        let stated = max(0, tag.blocks * first.samples - tag.delay - tag.padding), end = start + tag.bytes
        if end == file.byteCount || end + Self.endTagBytes == file.byteCount {
            frames = stated
        } else {
            let blocks = max(0, try Self.wholeFrames(file, from: start) - 1)
            frames = min(stated, max(0, blocks * first.samples - tag.delay - Self.decoderDelay))
        }
    }

    /// Bytes of the tag before the audio (ID3v2.3.0, section 3.1).
    private static func frontTagBytes(_ file: StoredFile) throws(SinkError) -> Int {
        let header = try file.bytes(at: 0, count: 10)
        guard header.count == 10, header.starts(with: "ID3".utf8) else { return 0 }
        return 10 + header[6...].reduce(0) { $0 << 7 | Int($1 & 0x7F) }
    }

    /// Counts the whole, consecutive MPEG frames from an offset on.
    private static func wholeFrames(_ file: StoredFile, from start: Int) throws(SinkError) -> Int {
        var piece: [UInt8] = [], pieceStart = start, position = start, count = 0
        while true {
            if position - pieceStart + 4 > piece.count {
                (piece, pieceStart) = (try file.bytes(at: position, count: 1 << 16), position)
            }
            let offset = position - pieceStart
            guard offset + 4 <= piece.count, let header = MPEGFrameHeader(piece[offset...]),
                position + header.byteCount <= file.byteCount
            else { return count }
            position += header.byteCount
            count += 1
        }
    }
}

/// The header of an MPEG frame of layer III.
struct MPEGFrameHeader {
    /// Frames a second.
    let sampleRate: Int
    let channels: Int
    /// Audio frames in the MPEG frame.
    let samples: Int
    /// Bytes of the MPEG frame, with its header.
    let byteCount: Int
    /// Offset of the tag in the first MPEG frame, after the header and the side information.
    let tagOffset: Int

    /// Bit rates of layer III in kbit/s, for MPEG 1 and for MPEG 2 (13818-3, table 2.4.2.3). 0 is not allowed here.
    private static let bitRates = [
        [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0],
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
    ]
    /// Frames a second in MPEG 1. MPEG 2 has half of them; its extension to lower rates has a quarter.
    private static let sampleRates = [44100, 48000, 32000]

    /// Reads a header at the start of the bytes. Returns nil if there is none.
    init?(_ bytes: ArraySlice<UInt8>) {
        let bytes = Array(bytes.prefix(4))
        guard bytes.count == 4, bytes[0] == 0xFF, bytes[1] & 0xE0 == 0xE0 else { return nil }
        let version = Int(bytes[1] >> 3 & 3), layer = Int(bytes[1] >> 1 & 3), rate = Int(bytes[2] >> 2 & 3)
        guard version != 1, layer == 1, rate < 3 else { return nil }
        let isFirst = version == 3, bitRate = Self.bitRates[isFirst ? 0 : 1][Int(bytes[2] >> 4)] * 1000
        guard bitRate > 0 else { return nil }
        sampleRate = Self.sampleRates[rate] / (isFirst ? 1 : version == 2 ? 2 : 4)
        channels = bytes[3] >> 6 == 3 ? 1 : 2
        samples = isFirst ? 1152 : 576
        byteCount = samples / 8 * bitRate / sampleRate + Int(bytes[2] >> 1 & 1)
        tagOffset = 4 + (isFirst ? (channels == 1 ? 17 : 32) : channels == 1 ? 9 : 17)
    }
}

/// LAME's tag in the first MPEG frame: Xing's tag, followed by the encoder's delay (LAME 3.100, libmp3lame/VbrTag.c).
private struct LAMETag {
    /// MPEG frames after the one with the tag.
    let blocks: Int
    /// Bytes of all MPEG frames.
    let bytes: Int
    /// Audio frames added before the call and after it.
    let delay: Int, padding: Int

    init?(_ content: ArraySlice<UInt8>) {
        let content = Array(content)
        func number(_ offset: Int) -> Int { content[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
        // After the name: flags, frames, bytes, a table of 100 seek points, a quality, and 21 bytes of LAME's own.
        guard content.count >= 144, content.starts(with: "Info".utf8) || content.starts(with: "Xing".utf8),
            number(4) & 15 == 15
        else { return nil }
        blocks = number(8)
        bytes = number(12)
        delay = Int(content[141]) << 4 | Int(content[142]) >> 4
        padding = Int(content[142] & 15) << 8 | Int(content[143])
    }
}
