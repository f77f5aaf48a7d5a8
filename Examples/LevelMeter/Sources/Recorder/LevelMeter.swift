import CallreelCore

/// Measures how loud a call is: a line with the peak and the RMS level of every interval, in `<stem>.levels.csv`.
struct LevelMeter: ~Copyable, AudioSink {
    static let type = "levelMeter"
    static let summary = "peak and RMS level of every interval, as CSV"

    private let options: LevelMeterOptions
    private let format: AudioFormat
    private let file: OutputFile
    private var interval = Level()
    private var call = Level()
    private var quietSamples = 0

    /// Makes the file with its first line.
    init(options: LevelMeterOptions, context: SinkContext) throws(SinkError) {
        let file = try context.createFile("levels.csv")
        try file.write("seconds,peak,rms\n")
        self.file = file
        self.options = options
        format = context.format
    }

    /// Measures the samples. A chunk is of any length, so intervals end within chunks.
    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        let length = format.frames(seconds: options.interval) * format.channels
        try chunk.withSamples { samples throws(SinkError) in
            for index in samples.indices {
                interval.add(samples[index])
                if interval.samples == length { try endInterval() }
            }
        }
    }

    /// Writes what is left as a shorter interval, and tells the manifest about the whole call.
    consuming func finish() throws(SinkError) -> SinkReceipt {
        if interval.samples > 0 { try endInterval() }
        let receipt = SinkReceipt(
            frames: call.samples / format.channels, framesByFile: [file.name: call.samples / format.channels],
            details: [
                "peak": .number(call.peak), "rms": .number(call.rms),
                "quietSeconds": .number(format.seconds(frames: quietSamples / format.channels)),
            ])
        try file.close()
        return receipt
    }

    private mutating func endInterval() throws(SinkError) {
        let start = format.seconds(frames: call.samples / format.channels)
        try file.write("\(start),\(interval.peak),\(interval.rms)\n")
        if interval.rms < options.quietBelow { quietSamples += interval.samples }
        call.add(interval)
        interval = Level()
    }
}
