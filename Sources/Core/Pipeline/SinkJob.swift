/// What became of a sink in one call, in the framework's own counting.
struct SinkReport: Sendable {
    /// Frames of the call's audio in its files, or taken by it where it makes none.
    var written = 0
    /// Frames of silence in place of dropped ones, counted in the same way.
    var silence = 0
    /// Frames of silence in place of what came while the recording was paused.
    var masked = 0
    /// Frames that were left out because the recording was paused.
    var skipped = 0
    /// What it left, in the order of the timeline.
    var files: [CallFile] = []
    /// What the sink itself reported.
    var details: [String: JSONValue] = [:]
    /// Whether it could be opened, in its directory or in its fallback.
    var hasOpened = false
    /// Whether it came to its regular end.
    var isFinished = false
    /// Why it failed, or had to go on in its fallback or another part.
    var error: SinkError?
}

/// One sink's part in one call.
struct SinkJob: Sendable {
    /// The places to write to: the first, and the fallback if there is one.
    let places: [SinkPlace]
    let queue: ChunkQueue
    let envelope: SinkEnvelope
    let health: SinkHealth
    let metrics: SinkMetrics
    /// The shape of the call's audio.
    let format: AudioFormat
    let rateConverter: SinkRegistry.RateConverterMaker?
    /// Which calls it shares its thread with; nil is any.
    let group: Int?
}
