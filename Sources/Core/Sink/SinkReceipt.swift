/// A sink's statement about its output, made when it finishes.
public struct SinkReceipt: Sendable {
    /// Frames in the sink's output: all those given to it. The framework compares this with its own count, and a
    /// difference is an error of the sink.
    public var frames: Int
    /// Facts for the manifest, such as an encoder's settings or a measured level.
    public var details: [String: JSONValue]
    /// Frames in each file, by file name, if known. The framework knows the files themselves from
    /// ``SinkContext/createFile(_:)``.
    public var framesByFile: [String: Int]
    /// State for the instance of the next part, which finds it in ``SinkContext/carried``. Nil: none.
    public var carried: (any Sendable)?

    /// Makes a receipt.
    public init(
        frames: Int, framesByFile: [String: Int] = [:], details: [String: JSONValue] = [:],
        carried: (any Sendable)? = nil
    ) {
        self.frames = frames
        self.framesByFile = framesByFile
        self.details = details
        self.carried = carried
    }
}
