public import CallreelCore

/// The options of a raw sink. There are none so far.
public struct RawOptions: Configurable {
    /// Every option at its default.
    public init() {}

    /// The keys of a `{"type": "raw"}` entry.
    public static let fields: [Field<Self>] = []
}
