public import CallreelCore

extension SndfileSink {
    /// Corrects the sizes in a header, and cuts an incomplete frame at the end.
    ///
    /// A stream (Ogg or MP3) has no such sizes and is left unchanged, to the byte.
    /// The result counts the call's frames that can be decoded. They are counted without decoding,
    /// since the call may continue in another file meanwhile. Frames that an MP3 encoder put
    /// before the call are not counted.
    public static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        let file = try StoredFile(path)
        if try isStream(file) {
            let frames = try length(ofStream: file, format).frames
            if !dryRun { try file.synchronize() }
            return FileRepair(frames: frames)
        }
        return try sized(file, format).repair(dryRun: dryRun)
    }

    /// Decodes with libsndfile, after comparing the sizes in the header with the file.
    ///
    /// 16-bit samples return unchanged from 24-bit integers and from floating point. All other encodings are lossy.
    public static func decode(_ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void) throws(SinkError)
        -> DecodedFile?
    {
        let file = try StoredFile(path)
        if try isStream(file) {
            return DecodedFile(frames: try decode(stream: file, format, into: body), isLossless: false)
        }
        return try sized(file, format).decode(into: body)
    }

    /// Reads the header of a file with its length in the header.
    static func sized(_ file: StoredFile, _ format: AudioFormat) throws(SinkError) -> SizedSoundFile {
        try SizedSoundFile(
            file, format: format, of: [.caf, .aiff, .w64, .rf64, .au], named: "CAF, AIFF, Wave64, RF64 or AU")
    }

    /// Returns true if a file is Ogg or MPEG, judged by its first bytes. An empty `.mp3` file counts:
    /// an MP3 file stays empty until its first audio.
    private static func isStream(_ file: StoredFile) throws(SinkError) -> Bool {
        if file.byteCount == 0 { return file.path.hasSuffix(".mp3") }
        let beginning = try file.bytes(at: 0, count: 4)
        if beginning.starts(with: "OggS".utf8) || beginning.starts(with: "ID3".utf8) { return true }
        // The sync word of an MPEG frame: eleven bits (ISO/IEC 11172-3, 2.4.2.3, with the extension to lower rates).
        return beginning.count == 4 && beginning[0] == 0xFF && beginning[1] & 0xE0 == 0xE0
    }

    /// Returns a stream's frames, and the frames that a decoder returns before them.
    /// Both come from the pages or MPEG frames, without decoding.
    static func length(ofStream file: StoredFile, _ format: AudioFormat) throws(SinkError) -> (frames: Int, lead: Int) {
        let found: AudioFormat?, length: (frames: Int, lead: Int)
        if file.byteCount == 0 {
            return (0, 0)
        } else if let ogg = try OggStream(file) {
            (found, length) = (ogg.format, (ogg.frames, 0))
        } else if let mpeg = try MPEGStream(file) {
            (found, length) = (mpeg.format, (mpeg.frames, mpeg.lead))
        } else {
            return (0, 0)
        }
        if let found, found != format { throw file.damaged("\(found), but the call had \(format)") }
        return length
    }

    /// Decodes a stream from the call's first frame on, and returns its number of frames.
    ///
    /// A stream without a frame is not decoded, because libsndfile would refuse to open it.
    private static func decode(
        stream file: StoredFile, _ format: AudioFormat, into body: (Span<Int16>) -> Void
    ) throws(SinkError) -> Int {
        let length = try length(ofStream: file, format)
        guard length.frames > 0 else { return 0 }
        var lead = length.lead * format.channels
        // Stops at the last whole page or frame: a decoder may fail at the bytes after it.
        let decoded = try AudioFileReader.decode(file, format, limit: length.lead + length.frames) { samples in
            let left = min(lead, samples.count)
            lead -= left
            if left < samples.count { body(samples.extracting(droppingFirst: left)) }
        }
        guard decoded - length.lead == length.frames else {
            throw file.damaged("\(max(0, decoded - length.lead)) of \(length.frames) frames could be decoded")
        }
        return length.frames
    }
}
