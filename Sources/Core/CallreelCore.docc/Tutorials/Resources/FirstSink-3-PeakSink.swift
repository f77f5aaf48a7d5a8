import CallreelCore

struct PeakSink: AudioSink {
    static let type = "peak"
    static let summary = "the loudest sample of a call"

    private var frames = 0
    private var loudest = 0

    init(options: NoOptions, context: SinkContext) {}

    mutating func write(_ chunk: borrowing PCMChunk) {
        for sample in chunk.samples { loudest = max(loudest, Int(sample.magnitude)) }
        frames += chunk.frameCount
    }

    consuming func finish(_ end: CallEnd) -> SinkReceipt {
        SinkReceipt(frames: frames, details: ["peak": .integer(loudest)])
    }
}
