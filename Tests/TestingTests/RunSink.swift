import CallreelCore

/// Writes the length of each run of samples of one sign, in lines without a decoder, and reports their number.
struct RunSink: ~Copyable, AudioSink {
    /// The part of its state that ends with each chunk by mistake.
    enum Mistake: String, CaseIterable { case none, lines, count }

    struct Options: Configurable {
        var mistake = Mistake.none

        init() {}
        init(_ mistake: Mistake) { self.mistake = mistake }

        static let fields: [Field<Self>] = [.choice("mistake", \.mistake, "What ends with each chunk.")]
    }

    static let type = "runs"
    static let summary = "lengths of runs of one sign"

    private let mistake: Mistake
    private let channels: Int
    private let file: OutputFile
    private var samples = 0, run = 0, count = 0
    private var isNegative = false

    init(options: Options, context: SinkContext) throws(SinkError) {
        mistake = options.mistake
        channels = context.format.channels
        file = try context.createFile("runs", beginning: "samples\n")
    }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        for sample in chunk.samples {
            if (sample < 0) != isNegative { try endRun() }
            isNegative = sample < 0
            run += 1
            samples += 1
        }
        if mistake == .lines { try endRun() }
        if mistake == .count { count += 1 }
    }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        try endRun()
        // The mistake in the lines stays in the lines.
        let details: [String: JSONValue] = mistake == .lines ? [:] : ["runs": .integer(count)]
        let receipt = SinkReceipt(frames: samples / channels, details: details)
        try file.close()
        return receipt
    }

    private mutating func endRun() throws(SinkError) {
        guard run > 0 else { return }
        try file.write("\(run)\n")
        count += 1
        run = 0
    }
}
