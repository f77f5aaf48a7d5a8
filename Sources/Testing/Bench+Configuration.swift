import CallreelCore

extension Bench where Sink: ~Copyable {
    /// Checks the type's name and summary.
    mutating func checkDescription() {
        let type = Sink.type, summary = Sink.summary
        if !type.isTypeName { note(.name, "\(type.debugDescription) is not") }
        if !summary.isOneLine { note(.summary, "\(summary.debugDescription) is not") }
    }

    /// Checks the options as read from a configuration.
    mutating func checkOptions() {
        let common = Set(["type"] + SinkEnvelope.fields.map(\.name))
        let faults = OptionsCheck<Sink.Options>(common: common).faults(options)
        for reason in faults.unreadable { note(.optionsAsJSON, reason) }
        for reason in faults.lenient { note(.strictOptions, reason) }
    }

    /// Checks the type's answers about each format before anything is opened.
    /// Returns the formats that it does not refuse.
    mutating func checkAnswers() -> [AudioFormat] {
        let formats = AudioFormat.supportedSampleRates.flatMap { rate in
            [1, 2].map { AudioFormat(sampleRate: rate, channels: $0) }
        }
        var open: [AudioFormat] = []
        let run = Watch.begin(.answers)
        defer { run.end() }
        for format in formats {
            let refusal = Sink.refusal(of: format, options: options),
                limit = Sink.frameLimit(options: options, format: format)
            if Sink.refusal(of: format, options: options) != refusal {
                note(.answers, "refusal changes from one call to the next", format)
            }
            if Sink.files(options: options) != Sink.files(options: options) {
                note(.answers, "files(options:) changes from one call to the next")
            }
            if Sink.frameLimit(options: options, format: format) != limit {
                note(.answers, "frameLimit changes from one call to the next", format)
            }
            if let refusal, !refusal.isOneLine {
                note(.answers, "the refusal \(refusal.debugDescription) is empty or not one line", format)
            }
            if let limit, limit < 1 {
                note(.answers, "a frameLimit of \(limit) leaves no room for a frame", format)
            } else if refusal == nil {
                open.append(format)
            }
        }
        return open
    }
}
