import CallreelCore

/// The header of a WAV stream of unknown length (Multimedia Programming Interface 1.0, IBM and Microsoft, 1991).
enum StreamedWAVHeader {
    /// Returns the header. Both sizes are all ones: FFmpeg, sox, libsndfile and Python then
    /// read to the end of their input.
    static func bytes(_ format: AudioFormat) -> [UInt8] {
        func number(_ value: Int, _ width: Int) -> [UInt8] {
            (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        let unknown = number(-1, 4)
        let shape =
            number(1, 2) + number(format.channels, 2) + number(format.sampleRate, 4)
            + number(format.sampleRate * format.bytesPerFrame, 4)
            + number(format.bytesPerFrame, 2) + number(16, 2)
        return Array("RIFF".utf8) + unknown + Array("WAVEfmt ".utf8) + number(shape.count, 4) + shape
            + Array("data".utf8) + unknown
    }
}
