import CallreelCore

/// What a `{"type": "levelMeter"}` entry may say.
struct LevelMeterOptions: Configurable {
    var interval = 1.0
    var quietBelow = -50.0

    static let fields: [Field<Self>] = [
        .number("interval", \.interval, in: 0.1...60, "Seconds of audio in each line."),
        .number("quietBelow", \.quietBelow, in: -96...0, "RMS level in dBFS below which an interval counts as quiet."),
    ]
}
