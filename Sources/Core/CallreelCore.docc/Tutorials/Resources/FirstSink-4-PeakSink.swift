import CallreelCore

struct PeakSink: ~Copyable, AudioSink {
    static let type = "peak"
    static let summary = "the loudest sample of each second, as CSV"

    static func files(options: NoOptions) -> SinkFiles { .suffixes(["peak.csv"]) }

    private let format: AudioFormat
    private let file: OutputFile
    private var samples = 0
    private var peak = 0
    private var loudest = 0

    init(options: NoOptions, context: SinkContext) throws(SinkError) {
        format = context.format
        file = try context.createFile("peak.csv", beginning: "seconds,peak\n")
    }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        for sample in chunk.samples {
            peak = max(peak, Int(sample.magnitude))
            samples += 1
            if samples.isMultiple(of: format.sampleRate * format.channels) { try endInterval() }
        }
    }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        if !samples.isMultiple(of: format.sampleRate * format.channels) { try endInterval() }
        let receipt = SinkReceipt(frames: samples / format.channels, details: ["peak": .integer(loudest)])
        try file.close()
        return receipt
    }

    private mutating func endInterval() throws(SinkError) {
        try file.write("\(format.seconds(frames: samples / format.channels)),\(peak)\n")
        loudest = max(loudest, peak)
        peak = 0
    }
}
