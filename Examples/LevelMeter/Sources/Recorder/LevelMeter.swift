import CallreelCore

/// Measures how loud a call is: a line with the peak and the RMS level of every interval, in `<stem>.levels.csv`.
struct LevelMeter: ~Copyable, AudioSink {
    static let type = "levelMeter"
    static let summary = "peak and RMS level of every interval, as CSV"

    private let options: LevelMeterOptions
    private let format: AudioFormat
    private let file: OutputFile
    private var interval = Level(), call = Level(), quietSamples = 0

    init(options: LevelMeterOptions, context: SinkContext) throws(SinkError) {
        self.options = options
        format = context.format
        file = try context.createFile("levels.csv", beginning: "seconds,peak,rms\n")
    }

    /// A chunk is of any length, so intervals end within chunks.
    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        let length = format.frames(seconds: options.interval) * format.channels
        for sample in chunk.samples {
            interval.add(sample)
            if interval.samples == length { try endInterval() }
        }
    }

    /// What is left is a shorter interval. The manifest is told about the whole call.
    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        if interval.samples > 0 { try endInterval() }
        let details = ["peak": call.peak, "rms": call.rms, "quietSeconds": seconds(quietSamples)].mapValues(
            JSONValue.number)
        let receipt = SinkReceipt(frames: call.samples / format.channels, details: details)
        try file.close()
        return receipt
    }

    private mutating func endInterval() throws(SinkError) {
        try file.write("\(seconds(call.samples)),\(interval.peak),\(interval.rms)\n")
        if interval.rms < options.quietBelow { quietSamples += interval.samples }
        call.add(interval)
        interval = Level()
    }

    private func seconds(_ samples: Int) -> Double { format.seconds(frames: samples / format.channels) }
}
