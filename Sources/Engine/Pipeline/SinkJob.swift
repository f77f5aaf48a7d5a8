import CallreelCore

/// The result of a sink in one call, by the framework's own count.
struct SinkReport: Sendable {
    /// The account of the sink's files; for a sink without files, of the audio that it took.
    var account = SinkAccount()
    /// The sink's files, in the order of the timeline.
    var files: [CallFile] = []
    /// Details from the sink's own receipts.
    var details: [String: JSONValue] = [:]
    /// The sink could be opened, in its directory or in its fallback.
    var hasOpened = false
    /// The sink came to its regular end.
    var isFinished = false
    /// The reason why the sink failed, or had to go on in its fallback or another part.
    var error: SinkError?
    /// The first disagreement between a receipt and the frames given to the sink.
    var miscount: SinkError?
}

/// One sink's work in one call.
struct SinkJob: Sendable {
    let station: SinkStation
    /// The places to write to: the first, and the fallback if there is one.
    let places: [SinkPlace]
    let queue: ChunkQueue
    /// The account while the sink runs.
    let account: LiveAccount
    /// The shape of the call's audio.
    let format: AudioFormat
    /// The group of calls on one thread; nil assigns threads in turn.
    let group: Int?

    var envelope: SinkEnvelope { station.plan.envelope }
}
