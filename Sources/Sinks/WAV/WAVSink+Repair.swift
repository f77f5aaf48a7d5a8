public import CallreelCore

extension WAVSink {
    /// Makes the header match the file, and cuts an incomplete frame at the end.
    ///
    /// After an interruption at any point, the repair can be run again. It computes the audio's length from the file's
    /// length, and not from a half-written size. Chunks after the audio of a closed file are kept.
    public static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        try sized(path, format).repair(dryRun: dryRun)
    }

    /// Decodes with libsndfile, after comparing the header with the file.
    /// libsndfile itself does not report a difference.
    ///
    /// 16-bit samples return unchanged from 24-bit integers and from floating point. G.711 is lossy.
    public static func decode(_ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void) throws(SinkError)
        -> DecodedFile?
    {
        try sized(path, format).decode(into: body)
    }

    private static func sized(_ path: String, _ format: AudioFormat) throws(SinkError) -> SizedSoundFile {
        try SizedSoundFile(try StoredFile(path), format: format, of: [.wav], named: "RIFF WAVE")
    }
}
