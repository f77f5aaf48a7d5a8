import CallreelCore

extension AudioFileReader {
    /// Decodes a file in the call's format, and returns its number of frames.
    /// - Parameter limit: the most frames to decode.
    static func decode(
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
