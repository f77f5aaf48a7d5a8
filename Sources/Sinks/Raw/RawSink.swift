public import CallreelCore

/// Records a call as bare samples, 16-bit little-endian and interleaved, in `<stem>.raw`.
///
/// The file has no header, so it is complete at every moment. The manifest has the sample rate and channels needed to
/// read it: `sox -t raw -e signed -b 16 -L -r RATE -c CHANNELS`, or FFmpeg's `-f s16le`.
public struct RawSink: ~Copyable, AudioSink {
    public static let type = "raw"
    public static let summary = "bare 16-bit little-endian samples without a header"

    public static func files(options: RawOptions) -> SinkFiles { .suffixes(["raw"]) }

    private let format: AudioFormat
    private var frames = 0
    private let file: OutputFile

    /// Creates the file.
    public init(options: RawOptions, context: SinkContext) throws(SinkError) {
        format = context.format
        file = try context.createFile("raw")
    }

    /// Appends frames with one `write(2)`.
    public mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        do {
            try chunk.withSamples { samples throws(SinkError) in
                #if _endian(big)
                    let swapped = samples.indices.map { samples[$0].littleEndian }
                    try unsafe file.write(swapped.span.bytes)
                #else
                    try unsafe file.write(samples.bytes)
                #endif
            }
        } catch {
            cutToWholeFrames()
            throw error
        }
        frames += chunk.frameCount
    }

    /// Closes the file and brings it to stable storage.
    public consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        let receipt = SinkReceipt(
            frames: frames, framesByFile: [file.name: frames],
            details: [
                "encoding": "s16le", "sampleRate": .integer(format.sampleRate), "channels": .integer(format.channels),
            ])
        try file.close()
        return receipt
    }

    /// Cuts the incomplete frame that a full disk may leave at the end. A reader could not tell it from audio.
    private func cutToWholeFrames() {
        guard let bytes = try? file.byteCount() else { return }
        // If this fails too, recovery cuts the file at the next start.
        try? file.truncate(to: bytes - bytes % format.bytesPerFrame)
    }
}
