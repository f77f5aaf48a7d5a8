public import CallreelCore

/// What the operator may say about a raw sink: nothing, so far.
public struct RawOptions: Configurable {
    /// Every option at its default.
    public init() {}

    /// The keys of a `{"type": "raw"}` entry.
    public static let fields: [Field<Self>] = []
}
