/// What became of a sink in one call, in the framework's own counting.
struct SinkReport: Sendable {
    /// What of the call is in its files, or was taken by it where it makes none.
    var account = SinkAccount()
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
    /// What it said at an end that does not agree with what it was given.
    var miscount: SinkError?
}

/// One sink's part in one call.
struct SinkJob: Sendable {
    /// The places to write to: the first, and the fallback if there is one.
    let places: [SinkPlace]
    let queue: ChunkQueue
    let envelope: SinkEnvelope
    let health: SinkHealth
    let metrics: SinkMetrics
    /// Where the account is kept as long as the sink runs.
    let account: LiveAccount
    /// The shape of the call's audio.
    let format: AudioFormat
    let rateConverter: SinkRegistry.RateConverterMaker?
    /// Which calls it shares its thread with; nil is any.
    let group: Int?
}
