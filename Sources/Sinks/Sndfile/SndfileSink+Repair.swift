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
        let sized = try SizedSoundFile(file, format: format)
        let change = sized.change
        if !dryRun {
            if change == nil { try file.synchronize() } else { try sized.settle(frames: sized.frames) }
        }
        return FileRepair(frames: sized.frames, bytesCut: sized.bytesCut, change: change)
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
        let sized = try SizedSoundFile(file, format: format)
        if let change = sized.change { throw file.damaged("its header and its length do not agree (\(change))") }
        let frames = try decode(file, format, into: body)
        guard frames == sized.frames else { throw file.damaged("\(frames) of \(sized.frames) frames could be decoded") }
        return DecodedFile(frames: frames, isLossless: sized.kind.keepsSamples)
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
        let decoded = try decode(file, format, limit: length.lead + length.frames) { samples in
            let left = min(lead, samples.count)
            lead -= left
            if left < samples.count { body(samples.extracting(droppingFirst: left)) }
        }
        guard decoded - length.lead == length.frames else {
            throw file.damaged("\(max(0, decoded - length.lead)) of \(length.frames) frames could be decoded")
        }
        return length.frames
    }

    /// Decodes a file in the call's format and returns its number of frames.
    private static func decode(
        _ file: StoredFile, _ format: AudioFormat, limit: Int = .max, into body: (Span<Int16>) -> Void
    ) throws(SinkError) -> Int {
        do throws(AudioFileError) {
            // 16-bit files are read as integers, all others through floating point in ±1.
            // As integers, libsndfile would truncate 24-bit samples and scale floating point by 32767.
            var reader = try AudioFileReader(path: file.path, convertingTo: format)
            guard reader.fileFormat == format else {
                throw AudioFileError(path: file.path, reason: "\(reader.fileFormat), but the call had \(format)")
            }
            var frames = 0
            while frames < limit {
                let samples = try reader.read(maximumFrames: min(16384, limit - frames))
                if samples.isEmpty { return frames }
                frames += samples.count / format.channels
                body(samples.span)
            }
            return frames
        } catch {
            throw SinkError(.open, error.description)
        }
    }
}
