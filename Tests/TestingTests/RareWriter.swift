import CallreelCore

/// Writes little and seldom: a heading, a line for every 2000 frames, and a last line.
///
/// It may ignore the error of one kind of these writes.
struct RareWriter: ~Copyable, AudioSink {
    enum Moment: String, CaseIterable, Sendable { case never, heading, line, lastLine }

    struct Options: Configurable {
        var swallows = Moment.never

        init() {}
        init(swallows: Moment) { self.swallows = swallows }

        static let fields: [Field<Self>] = [.choice("swallows", \.swallows, "The writes whose errors are forgotten.")]
    }

    static let type = "rareWriter"
    static let summary = "a line now and then"

    private let swallows: Moment
    private let file: OutputFile
    private var frames = 0
    private var lines = 0

    init(options: Options, context: SinkContext) throws(SinkError) {
        let file = try context.createFile("lines")
        try Self.write("frames\n", .heading, file, options.swallows)
        self.file = file
        swallows = options.swallows
    }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        frames += chunk.frameCount
        while frames >= (lines + 1) * 2000 {
            lines += 1
            try Self.write("\(lines * 2000)\n", .line, file, swallows)
        }
    }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        try Self.write("\(frames) in all\n", .lastLine, file, swallows)
        let receipt = SinkReceipt(frames: frames, framesByFile: [file.name: frames])
        try file.close()
        return receipt
    }

    private static func write(_ text: String, _ moment: Moment, _ file: borrowing OutputFile, _ swallows: Moment)
        throws(SinkError)
    {
        if swallows == moment { try? file.write(text) } else { try file.write(text) }
    }
}
