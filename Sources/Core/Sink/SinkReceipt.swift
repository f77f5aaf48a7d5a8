/// What a sink left when it finished.
public struct SinkReceipt: Sendable {
    /// Frames that the sink's output holds: all that it was given. The framework compares it with its own counting, and a difference
    /// is an error of the sink.
    public var frames: Int
    /// Facts worth keeping in the manifest, such as an encoder's settings or a measured level.
    public var details: [String: JSONValue]
    /// Frames in each file, by file name, where the sink knows. Files themselves are known from ``SinkContext/createFile(_:)``.
    public var framesByFile: [String: Int]

    /// Makes a receipt.
    public init(frames: Int, framesByFile: [String: Int] = [:], details: [String: JSONValue] = [:]) {
        self.frames = frames
        self.framesByFile = framesByFile
        self.details = details
    }
}
