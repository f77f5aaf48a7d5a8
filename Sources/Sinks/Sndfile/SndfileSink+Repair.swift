public import CallreelCore

extension SndfileSink {
    /// Makes the sizes in a header say what the file holds, and cuts off a part of a frame at the end.
    ///
    /// A stream has no such sizes and is left as it is, to the byte: its frames are those that can be decoded, which is what
    /// every player plays.
    public static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        let file = try StoredFile(path)
        if try isStream(file) {
            let frames = try frames(inStream: file, format)
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

    /// Decodes with libsndfile, after the sizes in the header were compared with the file.
    ///
    /// 16-bit samples come back from 24-bit integers and from floating point as they were. All else is not lossless.
    public static func decode(_ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void) throws(SinkError) -> DecodedFile? {
        let file = try StoredFile(path)
        if try isStream(file) {
            return DecodedFile(frames: try frames(inStream: file, format, into: body), isLossless: false)
        }
        let sized = try SizedSoundFile(file, format: format)
        if let change = sized.change { throw file.damaged("its header and its length do not agree (\(change))") }
        let frames = try decode(file, format, into: body)
        guard frames == sized.frames else { throw file.damaged("\(frames) of \(sized.frames) frames could be decoded") }
        return DecodedFile(frames: frames, isLossless: sized.kind.keepsSamples)
    }

    /// Whether a file is Ogg or MPEG, by its first bytes. Of an MP3 nothing is written before the first audio.
    private static func isStream(_ file: StoredFile) throws(SinkError) -> Bool {
        if file.byteCount == 0 { return file.path.hasSuffix(".mp3") }
        let beginning = try file.bytes(at: 0, count: 4)
        if beginning.starts(with: "OggS".utf8) || beginning.starts(with: "ID3".utf8) { return true }
        // The sync word of an MPEG frame: eleven bits (ISO/IEC 11172-3, 2.4.2.3, with the extension to lower rates).
        return beginning.count == 4 && beginning[0] == 0xFF && beginning[1] & 0xE0 == 0xE0
    }

    /// Decodes a stream and returns its frames.
    ///
    /// Of an empty call nothing but headers is left, which libsndfile will not open.
    static func frames(
        inStream file: StoredFile, _ format: AudioFormat, into body: (Span<Int16>) -> Void = { _ in }
    ) throws(SinkError) -> Int {
        if try OggPages(file).map({ $0.lastPosition <= 0 }) ?? (file.byteCount == 0) { return 0 }
        return try decode(file, format, into: body)
    }

    /// Decodes a file of the call's format and returns its frames.
    private static func decode(_ file: StoredFile, _ format: AudioFormat, into body: (Span<Int16>) -> Void) throws(SinkError) -> Int {
        do throws(AudioFileError) {
            // Through floating point in ±1 unless the file is 16-bit: for the integers of 24-bit files libsndfile would cut,
            // and for floating point scale by 32767.
            var reader = try AudioFileReader(path: file.path, convertingTo: format)
            guard reader.fileFormat == format else {
                throw AudioFileError(path: file.path, reason: "\(reader.fileFormat), where the call had \(format)")
            }
            var frames = 0
            while true {
                let samples = try reader.read(maximumFrames: 16384)
                if samples.isEmpty { return frames }
                frames += samples.count / format.channels
                body(samples.span)
            }
        } catch {
            throw SinkError(.open, error.description)
        }
    }
}
