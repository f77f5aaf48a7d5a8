/// A change of the audio on its way to one sink, such as a gain. Other sinks, and so the archive, get the audio as it
/// came.
///
/// A filter keeps each frame at its place: it changes samples, or cuts frames out, and never moves, adds or repeats a
/// frame. The manifest lists the cut frames, so the place of each frame in the call stays known.
///
/// One instance serves one sink in one call, from one thread at a time. After a failure of the sink, or behind a pause
/// that the sink leaves out, a new instance goes on. Register a type with ``FilterRegistry``; operators then ask for it
/// in an entry's `filters` by its ``type``.
public protocol AudioFilter: SendableMetatype {
    /// Options that the operator may set for this filter in the configuration file. Default: ``NoOptions``.
    associatedtype Options: Configurable = NoOptions

    /// The name by which configuration asks for this filter, such as `"gain"`: a letter, then letters and digits.
    static var type: String { get }

    /// What the filter does, in one line for lists.
    static var summary: String { get }

    /// Returns the reason why these options cannot work at all; nil, the default, if none is known.
    ///
    /// Callreel calls this when it reads the configuration, and refuses to start.
    static func refusal(options: Options) -> String?

    /// Makes the filter of one sink in one call.
    /// - Parameters:
    ///   - options: the operator's options.
    ///   - format: the shape of the call's audio, before a conversion to the sink's own shape.
    init(options: Options, format: AudioFormat) throws(SinkError)

    /// Takes the next audio, and passes on what is ready.
    ///
    /// Chunks follow each other without a gap. Their sizes must change nothing. The filter may hold frames back until
    /// it knows what to do with them; keep that well below a second. Audio of another origin than
    /// ``PCMChunk/Origin/call`` is digital silence: pass it on unchanged, or cut it.
    mutating func apply(_ chunk: PCMChunk, to output: inout FilterOutput) throws(SinkError)

    /// Passes on every frame that is held back. Here the audio ends or has a gap; more may follow behind it.
    mutating func finish(to output: inout FilterOutput) throws(SinkError)
}

extension AudioFilter {
    public static func refusal(options: Options) -> String? { nil }

    public mutating func finish(to output: inout FilterOutput) throws(SinkError) {}
}

/// The place where a filter puts its result: each frame that it took, in order, kept or cut.
public struct FilterOutput {
    /// A run of frames.
    package enum Step {
        case keep(PCMChunk)
        /// Frames up to this position are cut.
        case cut(FramePosition)
    }

    package private(set) var steps: [Step] = []

    /// Makes an empty output. The framework does this; tests of a filter make their own.
    public init() {}

    /// Passes audio on. It must begin where the last kept or cut frame ended.
    public mutating func keep(_ chunk: PCMChunk) { if chunk.frameCount > 0 { steps.append(.keep(chunk)) } }

    /// Cuts all frames from the last kept or cut one up to a position.
    public mutating func cut(to end: FramePosition) { steps.append(.cut(end)) }
}
