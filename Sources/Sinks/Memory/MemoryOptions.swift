public import CallreelCore

/// The options of a `memory` sink.
public struct MemoryOptions: Configurable {
    /// The label under which tests find the recordings.
    public var label = "memory"
    /// Recordings kept under the label, 1 to 1000.
    public var calls = 10
    /// The longest call in seconds of audio, 1 to 86400.
    public var seconds = 600

    /// Every option at its default.
    public init() {}

    /// The keys of a `{"type": "memory"}` entry.
    public static let fields: [Field<Self>] = [
        .string("label", \.label, "The label by which a test finds its recordings.") {
            $0.isEmpty ? "is empty; give a label" : nil
        },
        .integer(
            "calls", \.calls, in: 1...1000,
            "Recordings kept under the label. A further call replaces the oldest ended one."),
        .integer(
            "seconds", \.seconds, in: 1...86400,
            "Seconds of audio in one call. The sink fails at the first chunk beyond that."),
    ]
}
