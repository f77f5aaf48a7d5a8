extension NewPluginPackage {
    /// A sink that measures: its text shows options, a file, details and the account of frames in few lines.
    var sink: Parts {
        Parts(
            plugin: sinkType, options: sinkOptions,
            tests: """
                \(imports(["CallreelCore", "CallreelTesting", "Testing"]))

                @testable import \(target)

                @Suite struct \(name.swiftType)Tests {
                    /// The kit plays less than a second of audio at a time: with the second set of options, the sink
                    /// writes during it, so that failing writes are tried too.
                    @Test func `the sink keeps the sink contract`() async throws {
                        var short = \(name.stem)Options()
                        short.interval = 0.05
                        try await requireSinkContract(\(name.swiftType).self, options: \(name.stem)Options(), short)
                    }
                }

                """,
            configuration: """
                {
                  "recordings": { "directory": "recordings" },
                  "sinks": [
                    { "type": "flac" },
                    { "type": "\(name.type)", "interval": 1 }
                  ]
                }

                """,
            trial: """
                ```sh
                swift run \(name.program) replay SPEECH.wav --config recorder.json
                head recordings/*/*.\(name.type).csv
                ```

                `SPEECH.wav` is any audio file. `swift run \(name.program) serve --config recorder.json` takes calls.
                """)
    }

    private var sinkOptions: String {
        """
        \(imports(["CallreelCore"]))

        /// The options of a `\(name.type)` entry. Each has a property with its default, and a line in `fields`.
        struct \(name.stem)Options: Configurable {
            /// Seconds of audio in each line of the file.
            var interval = 1.0

            static let fields: [Field<Self>] = [
                .number("interval", \\.interval, in: 0.05...60, "Seconds of audio in each line.")
            ]
        }

        """
    }

    private var sinkType: String {
        """
        \(imports(["CallreelCore"]))

        /// Writes the loudest sample of each interval of a call, as lines of `<stem>.\(name.type).csv`.
        struct \(name.swiftType): ~Copyable, AudioSink {
            static let type = "\(name.type)"
            static let summary = "the loudest sample of each interval, as CSV"

            static func files(options: \(name.stem)Options) -> SinkFiles { .suffixes(["\(name.type).csv"]) }

            private let format: AudioFormat
            /// Samples of an interval, all channels together.
            private let length: Int
            private let file: OutputFile
            private var samples = 0, peak = 0, loudest = 0

            /// Makes the file. This is the last step that can fail: a sink that is not copyable cannot throw once all
            /// of its properties are set.
            init(options: \(name.stem)Options, context: SinkContext) throws(SinkError) {
                format = context.format
                length = format.frames(seconds: options.interval) * format.channels
                file = try context.createFile("\(name.type).csv", beginning: "seconds,peak\\n")
            }

            /// Chunks have any length, so an interval may end within one.
            mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
                for sample in chunk.samples {
                    peak = max(peak, Int(sample.magnitude))
                    samples += 1
                    if samples.isMultiple(of: length) { try endInterval() }
                }
            }

            /// Writes the last, shorter interval. The receipt counts the frames; its details go into the manifest.
            consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
                if !samples.isMultiple(of: length) { try endInterval() }
                let receipt = SinkReceipt(frames: samples / format.channels, details: ["peak": .integer(loudest)])
                try file.close()
                return receipt
            }

            private mutating func endInterval() throws(SinkError) {
                try file.write("\\(format.seconds(frames: samples / format.channels)),\\(peak)\\n")
                loudest = max(loudest, peak)
                peak = 0
            }
        }

        """
    }
}
