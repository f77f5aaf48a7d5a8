import CallreelCore

/// Options of a `{"type": "voiceActivity"}` entry.
struct VoiceActivityOptions: Configurable {
    var threshold = 12.0
    var onset = 0.06
    var hangover = 0.3

    static let fields: [Field<Self>] = [
        .number("threshold", \.threshold, in: 3...40, "Decibels above the noise from which audio counts as speech."),
        .number("onset", \.onset, in: 0.02...1, "Seconds of loud audio that begin a stretch of speech."),
        .number("hangover", \.hangover, in: 0.02...5, "Seconds of quiet audio that end a stretch of speech."),
    ]
}
