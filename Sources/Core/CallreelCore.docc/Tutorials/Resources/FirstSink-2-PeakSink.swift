import CallreelCore

struct PeakSink: AudioSink {
    static let type = "peak"
    static let summary = "the loudest sample of a call"

    private var frames = 0

    init(options: NoOptions, context: SinkContext) {}

    mutating func write(_ chunk: borrowing PCMChunk) {
        frames += chunk.frameCount
    }

    consuming func finish(_ end: CallEnd) -> SinkReceipt {
        SinkReceipt(frames: frames)
    }
}
