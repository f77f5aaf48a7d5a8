import CallreelCore

struct PeakOptions: Configurable {
    var interval = 1.0

    static let fields: [Field<Self>] = [
        .number("interval", \.interval, in: 0.05...60, "Seconds of audio in each line.")
    ]
}

struct PeakSink: ~Copyable, AudioSink {
    static let type = "peak"
    static let summary = "the loudest sample of each interval, as CSV"

    static func files(options: PeakOptions) -> SinkFiles { .suffixes(["peak.csv"]) }

    private let format: AudioFormat
    private let length: Int
    private let file: OutputFile
    private var samples = 0
    private var peak = 0
    private var loudest = 0

    init(options: PeakOptions, context: SinkContext) throws(SinkError) {
        format = context.format
        length = format.frames(seconds: options.interval) * format.channels
        file = try context.createFile("peak.csv", beginning: "seconds,peak\n")
    }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        for sample in chunk.samples {
            peak = max(peak, Int(sample.magnitude))
            samples += 1
            if samples.isMultiple(of: length) { try endInterval() }
        }
    }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        if !samples.isMultiple(of: length) { try endInterval() }
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
